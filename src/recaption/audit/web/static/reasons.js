// Why a caption is rejected: a digit, or one's own words.

import { button, el, t } from "./dom.js";
import { isComposed } from "./keys.js";

export class Reasons {
  /** `chosen(reason)` gets the reason, `typed(words)` own words as they grow; `left()`: nothing was chosen. */
  constructor(names, title, { chosen, typed, left, words = "" }) {
    Object.assign(this, { names, chosen, left });
    const known = t("reasons");
    const list = el("ol", { class: "choices" }, ...names.map((name, i) => el("li", {},
      button(known[name] ?? name, `reason-${i}`, { key: String(i + 1), onclick: () => chosen(name) }))));
    list.append(el("li", {}, button(t("own_words"), "own", { key: "0", onclick: () => this.write() })));
    this.input = el("input", {
      type: "text", maxLength: 500, hidden: !words, value: words, "aria-label": t("own_words_label"),
      placeholder: t("own_words_label"), autocomplete: "off",
    });
    this.input.addEventListener("input", () => typed(this.input.value));
    this.input.addEventListener("keydown", (event) => {
      if (isComposed(event)) return;
      if (event.key === "Escape") {
        event.stopPropagation();
        left();
      } else if (event.key === "Enter" && this.input.value.trim()) {
        event.preventDefault();
        chosen(this.input.value.trim());
      }
    });
    this.node = el("section", { class: "panel reasons", "aria-label": title, tabIndex: -1 },
      el("h2", {}, title), list, this.input);
  }

  /** Bring the panel, once it is on the page, into sight and under the keys. */
  show() {
    this.node.scrollIntoView({ block: "nearest" });
    this.node.focus({ preventScroll: true });
  }

  write() {
    this.input.hidden = false;
    this.input.focus();
  }

  /** Take a key; true where it meant something here. */
  key(key) {
    if (key === "Escape") this.left();
    else if (key === "0") this.write();
    else if (/^[1-9]$/.test(key)) {
      const name = this.names[Number(key) - 1];
      if (name !== undefined) this.chosen(name);
    } else return false;
    return true;
  }
}
