// The right-hand side where captions are compared, without being told which is which.

import { captionNode } from "./caption.js";
import { el, t } from "./dom.js";
import { Reasons } from "./reasons.js";

export class Compare {
  /** As for `Judge`. */
  constructor(root, { reasons, say, drafted, pressed }) {
    Object.assign(this, { root, reasons, say, drafted, pressed, diffed: false });
  }

  show(item, draft = {}) {
    this.item = item;
    this.draft = { own: "", ...draft };
    this.mode = "look";
    this.draw();
    this.root.scrollTop = 0;
  }

  draw() {
    const cards = this.item.captions;
    const pair = this.diffed && cards.length === 2;
    const list = cards.map((card, i) => el("li", {}, el("button", {
      type: "button", class: "card", "data-do": `prefer-${i}`, onclick: () => this.prefer(i),
    }, el("kbd", {}, String(i + 1)), pair ? others(cards[1 - i].text, card.text) : captionNode(card.text, { dense: cards.length > 2 }))));
    const parts = [el("h2", { class: "eyebrow" }, t("captions")), el("ol", { class: "cards" }, ...list)];
    if (this.mode === "reject") parts.push(this.why.node);
    this.root.replaceChildren(...parts);
    document.body.dataset.mode = this.mode;
    this.pressed({ reject: this.mode === "reject", diff: this.diffed });
  }

  do(action) {
    if (action === "reject") this.mode === "reject" ? this.look() : this.reject();
    else if (action === "diff") {
      this.diffed = !this.diffed;
      this.draw();
    } else return false;
    return true;
  }

  key(key) {
    if (this.mode === "reject") return this.why.key(key);
    if (!/^[1-9]$/.test(key) || Number(key) > this.item.captions.length) return false;
    this.prefer(Number(key) - 1);
    return true;
  }

  prefer(i) {
    if (this.mode === "look") this.say({ action: "prefer", preferred: this.item.captions[i].id });
  }

  look() {
    this.mode = "look";
    this.draw();
    this.root.focus({ preventScroll: true });
  }

  reject() {
    this.mode = "reject";
    this.why = new Reasons(this.reasons, t("why_none"), {
      chosen: (reason) => this.say({ action: "reject", reason }),
      typed: (own) => this.drafted({ own }),
      left: () => this.look(),
      words: this.draft.own,
    });
    this.draw();
    this.why.show();
  }
}

/** Return a caption in which the words are marked that the other one has not. */
function others(other, text) {
  const node = captionNode(text, { before: other });
  for (const gone of node.querySelectorAll(".gone")) gone.remove();
  return node;
}
