// Making elements. Whatever comes from data becomes a text node, here and nowhere else.

export const $ = (id) => document.getElementById(id);

/** Return a new element; `props` are properties, `data-…` and `aria-…` attributes; children are nodes or texts. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key.includes("-") || key === "role" || key === "for") node.setAttribute(key, value);
    else if (key === "class") node.className = value;
    else node[key] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function button(label, action, { key = "", kind = "", ...props } = {}) {
  const made = el("button", { type: "button", class: kind, "data-do": action, ...props }, el("span", {}, label));
  if (key) made.append(el("kbd", {}, key));
  return made;
}

export const show = (node, visible = true) => { node.hidden = !visible; };

// What cannot be seen but changes how a text reads is shown by its number. Joiners are left: scripts and emoji use them.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Return nodes for a text from data, hidden characters made visible. */
export function plain(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > from) nodes.push(document.createTextNode(text.slice(from, found.index)));
    const number = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(el("span", { class: "hidden-character" }, `U+${number}`));
    from = found.index + found[0].length;
  }
  if (from < text.length || !nodes.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

export function texts() {
  return JSON.parse($("texts").textContent);
}

const words = texts();

/** Return a text of the interface, its `{names}` filled in. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)) : text;
}

let hiding = 0;

/** Say something in passing. */
export function toast(text, seconds = 2.2) {
  const node = $("toast");
  node.textContent = text;
  node.classList.add("seen");
  clearTimeout(hiding);
  hiding = setTimeout(() => node.classList.remove("seen"), seconds * 1000);
}
