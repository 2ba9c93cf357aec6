// From keys to actions. In a field only the field's own keys count; with a dialog open only the dialog's.

const ACTIONS = {
  a: "accept", e: "edit", r: "reject", s: "skip", u: "undo", o: "others", d: "diff", f: "facts", i: "details",
  b: "boxes", z: "zoom", "+": "larger", "=": "larger", "-": "smaller", "_": "smaller", n: "blur", g: "guideline",
  t: "theme", "?": "keys", " ": "unveil",
};
const STEP_PX = 80;
const ARROWS = { ArrowLeft: [STEP_PX, 0], ArrowRight: [-STEP_PX, 0], ArrowUp: [0, STEP_PX], ArrowDown: [0, -STEP_PX] };

/** Whether a key goes to an input method. Safari ends a composition before the key that ended it, and says 229. */
export const isComposed = (event) => event.isComposing || event.keyCode === 229;

/** Call `own(key)` first, which tells whether the side took it, then `act(name)` or `pan(x, y)`. */
export function listen({ own, act, pan }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || inField(event.target)) return;
    const key = letter(event);
    const presses = key === " " || key === "Enter";
    if (presses && event.target.closest?.("button, a")) { // they press what has the focus, once
      if (event.repeat) event.preventDefault();
      return;
    }
    if (event.repeat && !ARROWS[key] && !["+", "=", "-"].includes(key)) return; // a key held down says one thing
    if (own(key)) event.preventDefault();
    else if (ARROWS[key]) {
      if (pan(...ARROWS[key])) event.preventDefault();
    } else if (ACTIONS[key]) {
      event.preventDefault();
      act(ACTIONS[key]);
    }
  });
}

const inField = (node) => node.matches?.("textarea, input, select, [contenteditable]") ?? false;

/** The letter as the layout writes it, or, where that is none of ours (Cyrillic, an input method), as it lies. */
function letter(event) {
  const { key, code } = event;
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.toLowerCase();
  if (code.startsWith("Key") && (key.length === 1 || key === "Process")) return code.slice(3).toLowerCase();
  if (key === "？") return "?";
  return key;
}
