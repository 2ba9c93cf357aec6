// What stands in place of the work: the way in, the end, a server that says no.

import { $, button, el, plain, show, t } from "./dom.js";

function screen(name, ...nodes) {
  document.body.dataset.screen = name;
  show($("stage"), false);
  show($("bar"), false);
  $("side").replaceChildren(el("div", { class: "screen" }, ...nodes));
}

/** Take a screen away again. */
export function work() {
  delete document.body.dataset.screen;
  show($("stage"));
  show($("bar"));
}

export function gate(wasUsed, holds) {
  show($("progress"), false);
  screen("gate", el("h1", {}, t("gate_title")), el("p", {}, t(wasUsed ? "gate_used" : "gate_text")),
    holds ? el("p", {}, t("gate_kept")) : null);
}

/** Words of others wait in this window, and whoever is here now cannot send them. */
export function others(names, name, go) {
  const told = { others: names.join(", "), name };
  screen("others", el("h1", {}, ...plain(t("others_wait_title", told))), el("p", {}, ...plain(t("others_wait_text", told))),
    el("div", { class: "row" }, button(t("others_wait_go", told), "go-on", { kind: "good", onclick: go })));
}

export function waiting(what) {
  screen("waiting", el("p", { class: "quiet" }, t(what)));
}

export function broken(message) {
  screen("broken", el("h1", {}, t("broken_title")), el("p", {}, ...plain(t("broken_text", { message }))));
}

let told = "";

/** The end, for now or for good. Drawn anew only where it has changed, so that nobody is read the same twice. */
export function done(progress, { revisit, undo }) {
  const state = JSON.stringify({ ...progress, frees_in_ms: null });
  if (document.body.dataset.screen === "done" && state === told) return;
  told = state;
  const all = progress.finished >= progress.items;
  const mine = progress.mine_done;
  const [title, text] = all ? ["done_title", "done_all"]
    : progress.leased ? ["wait_title", "wait_others"] : ["rest_title", "rest_mine"];
  const parts = [el("h1", {}, t(title)), el("p", {}, t(text, { all: progress.items }))];
  if (mine) {
    const each = progress.mine_spent_ms / 1000 / mine;
    const spent = { done: mine, time: time(progress.mine_spent_ms), seconds: each < 10 ? each.toFixed(1) : Math.round(each) };
    parts.push(el("p", { class: "quiet" }, t("done_yours", spent)));
  }
  const row = el("div", { class: "row" });
  if (progress.mine_skipped && !all) {
    parts.push(el("p", { class: "quiet" }, t("done_skipped", { skipped: progress.mine_skipped })));
    row.append(button(t("go_skipped"), "revisit", { kind: "good", onclick: revisit }));
  }
  if (mine || progress.mine_skipped) row.append(button(t("undo"), "undo-last", { key: "u", onclick: undo }));
  screen("done", el("div", { class: "tick", "aria-hidden": "true" }, progress.leased && !all ? "…" : "✓"), ...parts, row);
}

function time(ms) {
  const all = Math.round(ms / 1000); // first of all, or a minute could have 60 seconds
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return t(hours ? "time_hours" : minutes ? "time_minutes" : "time_seconds", { hours, minutes, seconds });
}
