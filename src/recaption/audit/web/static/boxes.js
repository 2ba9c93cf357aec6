// What was found in the picture, drawn where it was found. Lines and labels keep their size at every zoom.

import { el, plain } from "./dom.js";

const COLOURS = 6;
const FEW = 10;
const SMALL_PX = 30;

export class Boxes {
  constructor(layer, viewer) {
    Object.assign(this, { layer, viewer, drawn: [] });
  }

  /** Take the evidence of an item; what has no place is left out. */
  show(evidence, size) {
    this.width = size?.[0];
    const placed = evidence.filter((found) => found.box);
    const kinds = [...new Set(placed.map((found) => found.label))];
    placed.sort((a, b) => area(b.box) - area(a.box)); // small ones above large ones
    this.drawn = placed.map((found) => {
      const colour = `c${kinds.indexOf(found.label) % COLOURS}`;
      const label = el("span", { class: "box-label" }, ...plain(found.label.slice(0, 200)));
      const isWide = (found.box[2] - found.box[0]) / (this.width || 1) > 0.15;
      if (isWide && found.score !== null && found.score !== undefined) label.append(el("small", {}, percent(found.score)));
      return { box: found.box, node: el("div", { class: `box ${colour}` }, label) };
    });
    this.layer.replaceChildren(...this.drawn.map(({ node }) => node));
    this.place();
    return placed.length;
  }

  place() {
    const { size, scale, x, y } = this.viewer;
    if (this.layer.hidden || !size) return;
    for (const { box, node } of this.drawn) {
      const [left, top, right, bottom] = box;
      node.style.transform = `translate(${x + left * scale}px, ${y + top * scale}px)`;
      node.style.width = `${(right - left) * scale}px`;
      node.style.height = `${(bottom - top) * scale}px`;
      const isSmall = Math.min(right - left, bottom - top) * scale < SMALL_PX;
      node.classList.toggle("mute", isSmall && this.drawn.length > FEW); // until one looks closer
      node.classList.toggle("low", y + top * scale < 22); // no room above: the label goes inside
    }
  }
}

const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
const percent = (score) => ` ${Math.round(score * 100)} %`;
