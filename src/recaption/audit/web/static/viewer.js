// The picture: fitted, at pixel size, or anything between; moved by hand, wheel, fingers or keys.
// Places are in pixels of the upright picture; `scale` is CSS pixels per pixel of it.

const LARGEST_FIT = 4; // a thumbnail is not blown up beyond this
const LARGEST = 16;
const STEP = 1.25;
const CLOSER = 2.5;
const SEPARATE = 4; // from here on pixels are looked at one by one

export class Viewer {
  /** `changed()` is called whenever the picture moves on the screen. */
  constructor(canvas, image, changed) {
    Object.assign(this, { canvas, image, changed, size: null, mode: "fit", scale: 1, x: 0, y: 0, fingers: new Map() });
    new ResizeObserver(() => this.arrange()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.up(event));
    canvas.addEventListener("dblclick", (event) => this.closer(this.at(event)));
  }

  /** Show a picture; `sharper()` is asked once for the address of the full size, when it is needed. */
  async show(url, size, sharper) {
    Object.assign(this, { size: null, sharper, mode: "fit", isSharp: false });
    this.image.src = url;
    this.image.hidden = false;
    await this.image.decode().catch(() => {});
    const natural = [this.image.naturalWidth, this.image.naturalHeight];
    if (!natural[0]) return false;
    this.size = size?.length === 2 && size[0] > 0 && size[1] > 0 ? size : natural;
    this.drawn = natural[0];
    this.arrange();
    return true;
  }

  clear() {
    this.image.hidden = true;
    this.image.removeAttribute("src");
    this.size = null;
    this.changed();
  }

  get fitScale() {
    const [width, height] = this.size;
    return Math.min(this.canvas.clientWidth / width, this.canvas.clientHeight / height, LARGEST_FIT);
  }

  get pixelScale() {
    return 1 / (window.devicePixelRatio || 1);
  }

  get isZoomed() {
    return this.size !== null && this.scale > this.fitScale * 1.001;
  }

  fit() {
    this.mode = "fit";
    this.arrange();
  }

  /** Go to one pixel for one pixel, or back to the whole picture. */
  pixels() {
    if (!this.size) return;
    if (this.mode === "pixels") this.fit();
    else {
      this.zoomTo(this.pixelScale, null);
      this.mode = "pixels";
      this.changed();
    }
  }

  /** Look closer around a point, at pixel size where that is closer; or back to the whole picture. */
  closer(point = null) {
    if (!this.size) return;
    if (this.isZoomed) this.fit();
    else if (this.pixelScale > this.fitScale * 1.2) {
      this.zoomTo(this.pixelScale, point);
      this.mode = "pixels";
      this.changed();
    } else this.zoomTo(this.fitScale * CLOSER, point);
  }

  zoom(factor, point = null) {
    if (this.size) this.zoomTo(this.scale * factor, point);
  }

  larger() { this.zoom(STEP); }

  smaller() { this.zoom(1 / STEP); }

  zoomTo(scale, point) {
    const smallest = Math.min(this.fitScale, this.pixelScale);
    const next = Math.min(Math.max(scale, smallest), Math.max(LARGEST * this.pixelScale, this.fitScale));
    const around = point ?? { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 };
    this.x = around.x - (around.x - this.x) * (next / this.scale);
    this.y = around.y - (around.y - this.y) * (next / this.scale);
    this.scale = next;
    this.mode = Math.abs(next - this.fitScale) < 1e-6 ? "fit" : "free";
    this.place();
  }

  pan(x, y) {
    if (!this.size) return;
    this.x += x;
    this.y += y;
    this.place();
  }

  arrange() {
    if (!this.size) return;
    if (this.mode === "fit") this.scale = this.fitScale;
    this.place();
  }

  place() {
    const [width, height] = [this.size[0] * this.scale, this.size[1] * this.scale];
    this.x = held(this.x, width, this.canvas.clientWidth);
    this.y = held(this.y, height, this.canvas.clientHeight);
    const style = this.image.style;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.transform = `translate(${this.x}px, ${this.y}px)`;
    this.image.classList.toggle("pixels", this.isZoomed && this.scale >= SEPARATE * this.pixelScale);
    this.canvas.classList.toggle("zoomed", this.isZoomed);
    if (this.scale * this.size[0] * (window.devicePixelRatio || 1) > this.drawn * 1.05) this.sharpen();
    this.changed();
  }

  async sharpen() {
    if (this.isSharp || this.drawn >= this.size[0] || !this.sharper) return;
    this.isSharp = true;
    const asked = this.sharper;
    const url = await asked();
    if (!url || asked !== this.sharper) return;
    const full = new Image();
    full.src = url;
    await full.decode().catch(() => {});
    if (asked === this.sharper && full.naturalWidth) {
      this.drawn = full.naturalWidth;
      this.image.src = url;
    }
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  wheeled(event) {
    if (!this.size) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), this.at(event));
  }

  down(event) {
    if (!this.size || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.fingers.set(event.pointerId, this.at(event));
    if (this.fingers.size === 2) this.pinch = this.spread();
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.classList.add("held");
  }

  moved(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before || !this.size) return;
    const now = this.at(event);
    this.fingers.set(event.pointerId, now);
    if (this.fingers.size === 2) {
      const spread = this.spread();
      this.zoom(spread.length / Math.max(1, this.pinch.length), spread.middle);
      this.pan(spread.middle.x - this.pinch.middle.x, spread.middle.y - this.pinch.middle.y);
      this.pinch = spread;
    } else this.pan(now.x - before.x, now.y - before.y);
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    if (!this.fingers.size) this.canvas.classList.remove("held");
  }

  spread() {
    const [a, b] = [...this.fingers.values()];
    return { length: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }
}

/** Keep a side in sight: in the middle where it fits, without gaps where it does not. */
function held(place, length, room) {
  return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, place));
}
