// The right-hand side where one caption is judged.

import { detailsNode, othersNode } from "./asides.js";
import { captionNode, legend } from "./caption.js";
import { el, t, toast } from "./dom.js";
import { Editor } from "./editor.js";
import { Facts } from "./facts.js";
import { Reasons } from "./reasons.js";

export class Judge {
  /** `say(draft)` gives the verdict, `drafted(state)` keeps what is not one yet, `pressed(states)` sets the buttons. */
  constructor(root, { reasons, say, drafted, pressed }) {
    Object.assign(this, { root, reasons, say, drafted, pressed, diffed: false });
  }

  show(item, draft = {}) {
    this.item = item;
    this.draft = { text: null, facts: [], own: "", ...draft };
    this.mode = "look";
    this.open = { others: false, details: false };
    this.facts = null;
    this.draw();
    this.root.scrollTop = 0;
    if (draft.mode === "edit") this.edit(this.draft.text);
    if (draft.mode === "facts" || this.draft.facts.some(Boolean)) this.check();
  }

  get subject() {
    return this.item.captions[0].text;
  }

  get original() {
    return this.item.captions.find((caption) => caption.role === "original")?.text ?? null;
  }

  remember(change) {
    Object.assign(this.draft, change);
    this.drafted({ ...this.draft, mode: this.mode });
  }

  draw() {
    const parts = [el("h2", { class: "eyebrow" }, t("caption"))];
    if (this.mode === "edit") parts.push(this.editor.node);
    else if (this.facts) parts.push(this.facts.node);
    else parts.push(...this.reading());
    if (this.mode === "reject") parts.push(this.why.node);
    if (this.open.others) parts.push(othersNode(this.item.captions, (i) => this.use(i)));
    if (this.open.details) parts.push(detailsNode(this.item));
    this.root.replaceChildren(...parts);
    document.body.dataset.mode = this.mode;
    this.pressed({
      edit: this.mode === "edit", reject: this.mode === "reject", diff: this.diffed, facts: this.facts !== null,
      others: this.open.others, details: this.open.details,
    });
  }

  reading() {
    if (!this.diffed) return [captionNode(this.subject)];
    if (this.original === null) return [captionNode(this.subject), el("p", { class: "quiet" }, t("diff_no_original"))];
    return [captionNode(this.subject, { before: this.original }), legend(this.original, this.subject, "diff")];
  }

  /** Carry out an action of the bar; false where it is not for this side. Who accepts while editing means their text. */
  do(action) {
    const actions = {
      accept: () => (this.mode === "edit" ? this.editor.save() : this.verdict({ action: "accept" })),
      edit: () => (this.mode === "edit" ? this.editor.area.focus() : this.edit()),
      reject: () => (this.mode === "reject" ? this.look() : this.reject()),
      diff: () => this.compare(),
      facts: () => (this.facts ? this.uncheck() : this.check()),
      others: () => this.toggle("others"),
      details: () => this.toggle("details"),
    };
    if (!actions[action]) return false;
    actions[action]();
    return true;
  }

  /** Take a key that means something in the state this side is in. */
  key(key) {
    if (this.mode === "reject" && this.why.key(key)) return true;
    if (this.mode !== "reject" && this.facts?.key(key)) return true;
    if (this.open.others && /^[1-9]$/.test(key) && Number(key) < this.item.captions.length) {
      this.use(Number(key) - 1);
      return true;
    }
    if (key !== "Escape") return false;
    if (this.facts) this.uncheck();
    else if (this.open.others || this.open.details) {
      this.open = { others: false, details: false };
      this.draw();
    } else return false;
    return true;
  }

  /** Leave editing or rejecting: with something to leave, true. */
  look() {
    this.mode = "look";
    this.draw();
    this.root.focus({ preventScroll: true });
    this.remember({});
  }

  edit(text = null) {
    const subject = this.subject;
    this.editor = new Editor(subject, text ?? this.draft.text ?? subject, {
      saved: (written) => this.save(written),
      left: (written) => {
        this.draft.text = written === subject ? null : written;
        this.look();
      },
      changed: (written) => this.remember({ text: written }),
    });
    this.mode = "edit";
    this.draw();
    this.editor.open();
    this.remember({ text: this.editor.text });
  }

  use(i) {
    this.open.others = false;
    this.edit(this.item.captions[i + 1].text);
  }

  save(text) {
    if (!text.trim()) toast(t("empty_edit"));
    else if (text === this.subject) this.verdict({ action: "accept" }, t("unchanged"));
    else this.verdict({ action: "edit", text });
  }

  reject() {
    this.mode = "reject";
    this.why = new Reasons(this.reasons, t("why_reject"), {
      chosen: (reason) => this.verdict({ action: "reject", reason }),
      typed: (own) => this.remember({ own }),
      left: () => this.look(),
      words: this.draft.own,
    });
    this.draw();
    this.why.show();
  }

  check() {
    if (!this.item.sentences.length || this.mode === "edit") return;
    this.facts = new Facts(this.item.sentences, this.draft.facts, (given) => this.remember({ facts: given }));
    if (this.mode === "reject") this.mode = "look";
    this.draw();
    this.facts.draw();
  }

  uncheck() {
    this.facts = null;
    this.remember({ facts: [] });
    this.draw();
    this.root.focus({ preventScroll: true });
  }

  toggle(name) {
    this.open[name] = !this.open[name];
    this.draw();
    if (this.open[name]) this.root.querySelector(`.${name}`)?.scrollIntoView({ block: "nearest" });
  }

  compare() {
    this.diffed = !this.diffed;
    if (this.mode !== "edit") this.draw();
    else this.pressed({ diff: this.diffed });
  }

  /** Give the verdict, unless a fact check was begun and not finished. */
  verdict(draft, said = null) {
    if (this.facts?.isBegun && this.facts.left) {
      if (this.mode !== "look") this.look();
      this.facts.nudge();
      return;
    }
    const facts = this.facts?.isBegun ? { facts: this.facts.given } : {};
    this.say({ ...draft, ...facts }, said);
  }
}
