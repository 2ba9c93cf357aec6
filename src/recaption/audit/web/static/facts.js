// The fact check: a caption sentence by sentence.

import { button, el, plain, t } from "./dom.js";

const ANSWERS = { y: "supported", n: "wrong", "?": "unsure" };

export class Facts {
  constructor(sentences, given, changed) {
    this.sentences = sentences;
    this.given = sentences.map((_, i) => given[i] ?? null);
    this.changed = changed;
    this.place = Math.max(0, this.given.indexOf(null));
    this.hint = el("p", { class: "quiet", role: "status" }, t("facts_hint"));
    this.rows = sentences.map((sentence, i) => el("li", { class: "fact", onclick: () => this.go(i) },
      el("p", { class: "caption dense", dir: "auto" }, ...plain(sentence)),
      el("div", { class: "answers", role: "group", "aria-label": sentence.slice(0, 80) },
        ...Object.entries(ANSWERS).map(([key, answer]) => button(t(answer), `fact-${answer}`, {
          key, kind: answer, "aria-pressed": "false", onclick: (event) => {
            event.stopPropagation();
            this.answer(i, answer);
          },
        })))));
    this.node = el("section", { class: "facts", "aria-label": t("facts") }, el("ol", {}, ...this.rows), this.hint);
    this.draw();
  }

  get left() {
    return this.given.filter((answer) => answer === null).length;
  }

  get isBegun() {
    return this.left < this.given.length;
  }

  answer(i, answer) {
    this.given[i] = answer;
    const next = this.given.indexOf(null, i);
    this.place = next >= 0 ? next : Math.max(this.given.indexOf(null), 0) || i;
    if (!this.left) this.place = i;
    this.hint.textContent = this.left ? t("facts_hint") : t("facts_done");
    this.changed(this.given);
    this.draw();
  }

  /** Ask for what is missing. */
  nudge() {
    this.place = this.given.indexOf(null);
    this.hint.textContent = t("facts_left", { left: this.left });
    this.draw();
  }

  key(key) {
    if (ANSWERS[key]) this.answer(this.place, ANSWERS[key]);
    else if (key === "ArrowDown") this.move(1);
    else if (key === "ArrowUp") this.move(-1);
    else return false;
    return true;
  }

  move(by) {
    this.go(Math.min(Math.max(this.place + by, 0), this.rows.length - 1));
  }

  go(place) {
    this.place = place;
    this.draw();
  }

  draw() {
    this.rows.forEach((row, i) => {
      row.classList.toggle("here", i === this.place);
      if (i === this.place) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
      row.dataset.answer = this.given[i] ?? "";
      for (const made of row.querySelectorAll("button")) {
        made.setAttribute("aria-pressed", String(made.classList.contains(this.given[i] ?? "-")));
      }
    });
    this.rows[this.place]?.scrollIntoView({ block: "nearest" });
  }
}
