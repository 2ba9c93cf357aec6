// The caption as it is read: plain, or word by word against another text.

import { diff } from "./diff.js";
import { el, plain, t } from "./dom.js";

/** Return the caption in large type; with `before`, what changed since that text is marked. */
export function captionNode(text, { before = null, dense = false } = {}) {
  const node = el("p", { class: dense ? "caption dense" : "caption", dir: "auto" });
  if (text.length > 420) node.classList.add("long");
  if (before === null) {
    node.append(...plain(text));
    return node;
  }
  const parts = diff(before, text);
  if (parts === null) return el("p", { class: "quiet" }, t("diff_long"));
  node.append(...parts.flatMap(marked));
  return node;
}

/** Say what the marks of a comparison mean, or that there are none; `what` is `diff` or `edit`. */
export function legend(before, after, what) {
  if (before === after) return el("p", { class: "quiet" }, t("diff_none"));
  return el("p", { class: "quiet legend" }, el("del", {}, t(`${what}_gone`)), " ", el("ins", {}, t(`${what}_new`)));
}

/** Blanks around a change are not marked: words differ, not the gaps between them. */
function marked({ kind, text }) {
  if (kind === "same") return [el("span", {}, ...plain(text))];
  const body = text.trim();
  const lead = text.slice(0, text.length - text.trimStart().length);
  const trail = body ? text.slice(text.trimEnd().length) : "";
  if (kind === "gone") return body ? [el("span", { class: "gone" }, lead, el("del", {}, ...plain(body)), trail)] : [];
  return body ? [lead, el("ins", {}, ...plain(body)), trail] : [text];
}
