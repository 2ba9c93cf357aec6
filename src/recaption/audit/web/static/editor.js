// Editing in place, with what has been changed below.

import { captionNode, legend } from "./caption.js";
import { button, el, t } from "./dom.js";
import { isComposed } from "./keys.js";

// Text areas turn line ends into \n; a caption that was not touched keeps its own.
const lines = (text) => text.replace(/\r\n?/g, "\n");

export class Editor {
  /** `saved(text)` gets the corrected caption, `left(text)` what was written when it was given up. */
  constructor(subject, text, { saved, left, changed }) {
    Object.assign(this, { subject, saved, left });
    this.area = el("textarea", {
      class: "caption", value: text, spellcheck: true, dir: "auto", "aria-label": t("edit_label"), rows: 2,
    });
    this.marks = el("div", { class: "marks" });
    this.area.addEventListener("input", () => {
      changed(this.text);
      this.draw();
    });
    this.area.addEventListener("keydown", (event) => this.pressed(event));
    this.node = el("section", { class: "editor" }, this.area,
      el("div", { class: "row" },
        button(t("save"), "save", { key: "Ctrl ↵", kind: "good", onclick: () => this.save() }),
        button(t("leave"), "leave", { key: "Esc", onclick: () => this.left(this.text) })),
      this.marks);
  }

  /** To be called once it is on the page. */
  open() {
    this.draw();
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  get text() {
    const written = this.area.value;
    return written === lines(this.subject) ? this.subject : written;
  }

  save() {
    this.saved(this.text);
  }

  pressed(event) {
    if (isComposed(event)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!event.repeat) this.save();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.left(this.text);
    }
  }

  draw() {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
    const same = this.text === this.subject;
    this.marks.replaceChildren(...(same ? [] : [
      captionNode(this.area.value, { before: lines(this.subject), dense: true }), legend(this.subject, this.text, "edit")]));
  }
}
