// What is read over the work and closed again: the guideline, the keys, a verdict that came second.

import { button, el, plain, t, toast } from "./dom.js";

/** Open a dialog; whatever key opened it closes it too. */
function open(name, title, nodes, { key = "", closed = () => {}, row = [] } = {}) {
  const standing = document.querySelector("dialog[open]");
  if (standing) {
    standing.close();
    if (standing.dataset.name === name) return null;
  }
  const close = button(t("close"), "close", { key: "Esc", onclick: () => dialog.close() });
  const dialog = el("dialog", { "data-name": name, "aria-labelledby": `${name}-title` },
    el("h2", { id: `${name}-title`, tabIndex: -1, autofocus: true }, title), ...nodes, el("div", { class: "row" }, ...row, close));
  dialog.addEventListener("keydown", (event) => {
    if (key && event.key === key && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      event.stopPropagation();
      dialog.close();
    }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function guideline(text, task) {
  const shown = text || t(task === "compare" ? "default_guideline_compare" : "default_guideline");
  const parts = shown.split(/\n\s*\n/).map((part) => el("p", { dir: "auto" }, ...plain(part.trim())));
  open("guideline", t("guideline"), [el("div", { class: "guideline" }, ...parts)], { key: "g" });
}

export function keys(task) {
  const rows = t(task === "compare" ? "compare_keys" : "key_list");
  const list = rows.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]);
  open("keys", t("all_keys"), [el("dl", { class: "keys" }, ...list)], { key: "?" });
}

/** Show both words on an item; the own one can be saved anew where that makes sense. */
export function conflict(entry, answer, { insist, reopen, closed, shown }) {
  const theirs = answer.body.theirs ?? null;
  const isConflict = answer.status === 409;
  const isMine = theirs?.mine === true;
  const why = !isConflict ? t("broken_text", { message: answer.body.message ?? answer.status })
    : t(theirs === null ? "conflict_window" : isMine ? "conflict_mine" : "conflict_others");
  const nodes = [el("p", {}, ...plain(why)), el("div", { class: "words" },
    theirs ? word(t("theirs"), theirs, theirs.auditor, shown) : null, word(t("mine"), entry.body, "", shown))];
  const row = [];
  const act = (label, action, does) => row.push(button(label, action, { kind: "good", onclick: () => {
    dialog.close();
    does();
  } }));
  if (isMine) act(t("save_anew"), "insist", () => insist(entry, theirs.verdict));
  else if (theirs === null) act(t("open_again"), "reopen", () => reopen(entry));
  if (entry.body.text) {
    row.push(button(t("copy"), "copy", { onclick: async () => {
      await navigator.clipboard?.writeText(entry.body.text).then(() => toast(t("copied")), () => {});
    } }));
  }
  const dialog = open("conflict", t(!isConflict ? "not_saved" : isMine ? "twice_title" : "conflict_title"), nodes, { closed, row });
}

function word(title, draft, by, shown) {
  const text = draft.text ?? shown?.(draft.preferred) ?? null;
  const reason = draft.reason ? t("reasons")[draft.reason] ?? draft.reason : null;
  return el("section", {}, el("h3", {}, title, by ? el("small", {}, " ", ...plain(by)) : ""),
    el("p", { class: "quiet" }, t(`said_${draft.action}`)),
    text === null ? null : el("p", { class: "caption dense", dir: "auto" }, ...plain(text)),
    reason === null ? null : el("p", { dir: "auto" }, ...plain(reason)));
}
