// Wiring: who is asking, what is asked of them, and which part carries out which action.

import { call, mayPass, pause } from "./api.js";
import { Compare } from "./compare.js";
import * as dialogs from "./dialogs.js";
import { enter, heedLinks, letIn } from "./door.js";
import { $, show, t, toast } from "./dom.js";
import { Judge } from "./judge.js";
import { here, keep, keepFor, othersWaiting, recall, setTaste } from "./kept.js";
import { listen } from "./keys.js";
import "./once.js";
import * as screens from "./screens.js";
import { Stage } from "./stage.js";
import { Work } from "./work.js";

const SOONEST_SKIP_MS = 300;
const DONE = { accept: "accepted", edit: "edited", reject: "rejected", prefer: "preferred" };
const THEMES = ["auto", "dark", "light"];

let work = null;
let stage = null;
let side = null;
let session = null;
let shownAt = 0;
const cards = new Map(); // texts by the names of their cards, for when a verdict comes second

/** Show which buttons are pressed. */
function pressed(states) {
  for (const [name, is] of Object.entries(states)) {
    for (const node of document.querySelectorAll(`[data-do="${name}"]`)) node.setAttribute("aria-pressed", String(is));
  }
}

function progressed(progress) {
  if (!work) return;
  const waiting = work.outbox.entries.filter((entry) => entry.path === "/api/verdict" && !entry.body.base).length;
  show($("progress"));
  $("mine").textContent = t("yours", { done: progress.mine_done + waiting });
  $("overall").textContent = t("overall", { done: progress.finished, all: progress.items });
  const rail = $("rail");
  rail.setAttribute("aria-valuemax", progress.items);
  rail.setAttribute("aria-valuenow", progress.finished);
  rail.setAttribute("aria-label", t("overall_label", { done: progress.finished, all: progress.items }));
  $("rail-done").style.width = `${progress.slots ? (100 * progress.done) / progress.slots : 0}%`;
}

let isOffline = false;

function offline(is) {
  isOffline = is;
  $("banner").textContent = is ? t("offline") : "";
  show($("banner"), is);
}

function troubled(is) {
  if (is === isOffline) return;
  offline(is);
  if (!is && !recall("lost", []).length) toast(t("back_online"));
}

function shown(held, draft) {
  if (!work) return;
  screens.work();
  shownAt = performance.now();
  document.body.dataset.item = String(held.item.item);
  for (const caption of held.item.captions) cards.set(caption.id, caption.text);
  side.show(held.item, draft);
  $("announcer").textContent = held.item.captions.map((caption) => caption.text).join("\n").slice(0, 2000);
  stage.show(held);
}

function waiting() {
  if (!work || work.current) return;
  stage.clear();
  screens.waiting(isOffline ? "waiting" : "working");
}

function emptied(progress) {
  if (!work) return;
  delete document.body.dataset.item;
  stage.clear();
  screens.done(progress, { revisit: () => work.revisit(), undo: () => work.undo() });
}

/** Give a verdict on what is on screen, once it can be seen. */
function say(draft, said = null) {
  if (!work.current || !stage.isReady) return;
  toast(said ?? t(DONE[draft.action]), said ? 4 : 1.2);
  if (document.activeElement?.closest("#side")) document.activeElement.blur(); // it is about to go
  work.say(draft);
}

function skip() {
  if (!work.current || !(stage.isReady || performance.now() - shownAt > SOONEST_SKIP_MS)) return;
  toast(t("skipped"), 1.2);
  work.skip();
}

/** Something was not saved: say so, with the words in hand. */
function lost(entry, answer) {
  if (entry === null) screens.broken(answer.body.message ?? String(answer.status));
  else if (entry.path === "/api/undo") toast(answer.status === 422 ? t("nothing_to_undo") : answer.body.message, 4);
  else if (entry.path === "/api/skip") toast(t("skip_late"), 4);
  else {
    keep("lost", [...recall("lost", []), { entry, answer }]);
    showLost();
  }
}

function showLost() {
  const [first] = recall("lost", []);
  if (!first || document.querySelector("dialog[data-name=conflict]")) return;
  const mine = work; // where the session ends meanwhile, it still keeps what is said here
  dialogs.conflict(first.entry, first.answer, {
    insist: (entry, base) => mine.insist(entry, base),
    reopen: (entry) => mine.reopen(entry),
    shown: (card) => cards.get(card) ?? null,
    closed: () => {
      keep("lost", recall("lost", []).slice(1));
      showLost();
    },
  });
}

function undone(back) {
  toast(t(back ? "undone" : "restored"));
}

function theme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  setTaste("theme", next);
  toast(t("theme_is", { theme: t(next) }));
}

function act(name) {
  if (name === "guideline") dialogs.guideline(session?.guideline ?? "", session?.task);
  else if (name === "keys") dialogs.keys(session?.task);
  else if (name === "theme") theme();
  else if (!work) return;
  else if (name === "undo") work.undo();
  else if (!work.current) return;
  else if (name === "skip") skip();
  else if (!stage.do(name)) side.do(name);
}

function pan(x, y) {
  if (!stage?.viewer.isZoomed) return false;
  stage.viewer.pan(x, y);
  return true;
}

/** Nobody is let in: say so, with no work behind it that keys could reach, and go on when somebody is. */
function gate(wasUsed) {
  const holds = work ? work.outbox.length > 0 : othersWaiting().length > 0;
  work = null;
  stage?.clear();
  delete document.body.dataset.item;
  offline(false);
  screens.gate(wasUsed, holds);
  letIn();
}

/** Where others have left words in this window, say so, once as long as they are the same. */
async function heedOthers() {
  const names = othersWaiting(session.project);
  if (names.length && recall("told") !== names.join()) {
    await new Promise((resolve) => { screens.others(names, session.auditor.name, resolve); });
    screens.waiting("working");
  }
  keep("told", names.length ? names.join() : null);
}

async function patiently(ask) {
  for (let wait = 400; ; wait = Math.min(2 * wait, 8000)) {
    const answer = await ask();
    if (!mayPass(answer.status)) return answer;
    troubled(true);
    await pause(wait);
  }
}

async function begin() {
  screens.waiting("working");
  const entered = await enter(patiently);
  const answer = await patiently(() => call("/api/session"));
  if (!answer.ok) {
    offline(false);
    if (answer.status === 401) gate(!entered);
    else screens.broken(answer.body.message ?? String(answer.status));
    return;
  }
  session = answer.body;
  keepFor(session.project, session.auditor.id);
  here(() => location.reload());
  keep("name", session.auditor.name);
  await heedOthers();
  stage = new Stage(pressed);
  const Side = session.task === "compare" ? Compare : Judge;
  side = new Side($("side"), { reasons: session.reasons, say, drafted: (state) => work.drafted(state), pressed });
  work = new Work(session, { shown, waiting, emptied, progressed, troubled, shut: () => gate(false), lost, undone });
  showLost();
  await work.begin();
}

function language() {
  const root = document.documentElement;
  const choose = (name) => { document.cookie = `recaption_audit_language=${name}; Path=/; SameSite=Strict; Max-Age=31536000`; };
  if (new URLSearchParams(location.search).has("lang")) choose(root.lang);
  $("language").addEventListener("click", () => choose($("language").lang));
}

document.addEventListener("click", (event) => {
  const name = event.target.closest?.("header [data-do], footer [data-do], .stage > [data-do], .tools [data-do]")?.dataset.do;
  if (name) act(name);
});
listen({ own: (key) => Boolean(work?.current && side.key(key)), act, pan });
heedLinks();
language();
begin();
