// The left-hand side: the picture with its boxes, its veil, or the reason why there is none.

import { picture } from "./api.js";
import { Boxes } from "./boxes.js";
import { $, button, el, plain, show, t, toast } from "./dom.js";
import { setTaste, taste } from "./kept.js";
import { Viewer } from "./viewer.js";

const SETTLES_MS = 120; // a key that was meant for the item before does not judge this one
const PATIENCE_MS = 250;

export class Stage {
  constructor(pressed) {
    this.pressed = pressed;
    this.viewer = new Viewer($("canvas"), $("image"), () => this.moved());
    this.boxes = new Boxes($("boxes"), this.viewer);
    this.isBlurring = taste("blur") === "on";
    this.isBoxed = taste("boxes") === "on";
    this.isReady = false;
    this.full = null;
    this.say();
  }

  /** Show the picture of an item that is held. */
  async show(held) {
    this.held = held;
    this.isReady = false;
    delete document.body.dataset.ready;
    this.forget();
    this.viewer.clear();
    show($("note"), false);
    this.isVeiled = this.isBlurring;
    this.placed = this.boxes.show(held.item.evidence, held.item.size);
    this.say();
    $("image").alt = t("picture_of", { key: held.item.key.slice(0, 200) });
    const slow = setTimeout(() => this.note(t("working")), PATIENCE_MS);
    const found = await held.picture;
    clearTimeout(slow);
    if (this.held !== held) return;
    show($("note"), false);
    if (found === null) this.note(t("no_picture"));
    else if (found.url && (await this.viewer.show(found.url, found.size, () => this.sharper(held)))) this.say();
    else if (this.held === held) this.bad(held, found);
    setTimeout(() => this.settle(held), SETTLES_MS);
  }

  settle(held) {
    if (this.held !== held) return;
    this.isReady = true;
    document.body.dataset.ready = String(held.item.item);
  }

  clear() {
    this.held = null;
    this.isReady = false;
    delete document.body.dataset.ready;
    this.viewer.clear();
  }

  async sharper(held) {
    const found = await picture(`${held.item.image}/full`);
    this.forget();
    this.full = found.url ?? null;
    return this.full;
  }

  forget() {
    if (this.full) URL.revokeObjectURL(this.full);
    this.full = null;
  }

  bad(held, found) {
    const parts = [el("strong", {}, t("bad_picture")), el("span", { class: "why" }, ...plain(found.reason || "–")),
      el("span", {}, t("bad_picture_hint"))];
    if (found.again) {
      parts.push(button(t("retry_picture"), "retry", { onclick: () => {
        held.picture = picture(held.item.image);
        this.show(held);
      } }));
    }
    this.viewer.clear();
    this.note(...parts);
  }

  note(...nodes) {
    $("note").replaceChildren(...nodes);
    show($("note"));
  }

  moved() {
    this.boxes?.place();
    const { viewer } = this;
    if (!viewer?.size) $("scale").textContent = "";
    else $("scale").textContent = `${Math.round(viewer.scale * (window.devicePixelRatio || 1) * 100)} %`;
    this.pressed?.({ pixels: viewer?.mode === "pixels" });
  }

  do(action) {
    const actions = {
      zoom: () => this.viewer.closer(),
      pixels: () => this.viewer.pixels(),
      fit: () => this.viewer.fit(),
      larger: () => this.viewer.larger(),
      smaller: () => this.viewer.smaller(),
      boxes: () => this.box(),
      blur: () => this.blur(),
      unveil: () => this.unveil(),
    };
    if (!actions[action]) return false;
    actions[action]();
    return true;
  }

  box() {
    this.isBoxed = !this.isBoxed;
    setTaste("boxes", this.isBoxed ? "on" : "off");
    if (this.isBoxed && this.held && !this.placed) toast(t("boxes_none"));
    this.say();
  }

  blur() {
    this.isBlurring = !this.isBlurring;
    this.isVeiled = this.isBlurring;
    setTaste("blur", this.isBlurring ? "on" : "off");
    toast(t(this.isBlurring ? "blur_on" : "blur_off"));
    this.say();
  }

  unveil() {
    if (!this.isBlurring) return;
    this.isVeiled = !this.isVeiled;
    this.say();
  }

  say() {
    const veiled = Boolean(this.isVeiled && this.viewer.size);
    $("canvas").classList.toggle("veiled", Boolean(this.isVeiled));
    show($("veil"), veiled);
    show($("boxes"), this.isBoxed && !this.isVeiled);
    this.boxes.place();
    this.pressed({ boxes: this.isBoxed, blur: this.isBlurring });
  }
}
