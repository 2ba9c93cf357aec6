// What is looked at on demand: other texts of the picture, and everything that is known of the caption.

import { captionNode } from "./caption.js";
import { button, el, plain, t } from "./dom.js";

/** Return the other captions, each with a way to edit from it. */
export function othersNode(captions, use) {
  const [subject, ...others] = captions;
  const list = others.map((caption, i) => el("li", {},
    el("h3", {}, t(`${caption.role}_role`), caption.writer ? el("small", {}, " ", ...plain(caption.writer)) : ""),
    captionNode(caption.text, { dense: true }),
    caption.text === subject.text ? el("p", { class: "quiet" }, t("same_text"))
      : button(t("use_this"), `use-${i}`, { key: i < 9 ? String(i + 1) : "", kind: "small", onclick: () => use(i) })));
  return el("section", { class: "panel others", "aria-label": t("others") },
    others.length ? el("ol", {}, ...list) : el("p", { class: "quiet" }, t("no_others")));
}

/** Return scores, flags, provenance of the caption, and what is known of the picture without a place in it. */
export function detailsNode(item) {
  const caption = item.captions[0];
  const rows = [];
  const row = (name, ...nodes) => rows.push(el("dt", {}, name), el("dd", {}, ...nodes));
  if (item.why) row(t("why_shown"), ...plain(item.why));
  row(t("file"), ...plain(item.key));
  if (caption.writer) row(t("writer"), ...plain(caption.writer));
  if (caption.origin) row(t("origin"), ...plain(caption.origin));
  if (caption.aspect && caption.aspect !== "default") row(t("aspect"), ...plain(caption.aspect));
  if (item.size) row(t("size"), t("pixels", { width: item.size[0], height: item.size[1] }));
  const scores = Object.entries(caption.scores);
  if (scores.length) row(t("scores"), table(scores.map(([name, value]) => [name, number(value)])));
  const flags = Object.entries(caption.flags);
  if (flags.length) row(t("flags"), table(flags));
  const tags = item.evidence.filter((found) => !found.box);
  if (tags.length) row(t("tags"), table(tags.map((tag) => [tag.label, `${tag.kind}, ${tag.source}`])));
  return el("section", { class: "panel details", "aria-label": t("details") }, el("dl", {}, ...rows));
}

function table(rows) {
  return el("ul", { class: "pairs" }, ...rows.map(([name, value]) => el("li", {},
    el("span", {}, ...plain(String(name))), el("span", { class: "value" }, ...plain(String(value))))));
}

const number = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(4).replace(/\.?0+$/, ""));
