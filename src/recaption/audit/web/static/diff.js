// Which words differ between two texts: the shortest edit by Myers, over words, and over characters where a script
// writes none.

const TOKEN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}\p{M}_]+(?:['’\-.][\p{L}\p{N}\p{M}_]+)*|\s+|[^]/gu;
const MOST_TOKENS = 6000;
const MOST_EDITS = 1200;

function tokens(text) {
  return text.match(TOKEN) ?? [];
}

/**
 * Return [{kind: "same" | "gone" | "new", text}] that leads from one text to the other; null where that is too much.
 */
export function diff(before, after) {
  const a = tokens(before);
  const b = tokens(after);
  if (a.length > MOST_TOKENS || b.length > MOST_TOKENS) return null;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const middle = path(a.slice(start, a.length - end), b.slice(start, b.length - end));
  if (middle === null) return null;
  return merged([
    ...a.slice(0, start).map((text) => ({ kind: "same", text })),
    ...middle,
    ...a.slice(a.length - end).map((text) => ({ kind: "same", text })),
  ]);
}

function path(a, b) {
  const n = a.length;
  const m = b.length;
  const most = Math.min(n + m, MOST_EDITS);
  const offset = most + 1;
  const far = new Int32Array(2 * most + 3);
  const rounds = [];
  for (let d = 0; d <= most; d += 1) {
    rounds.push(far.slice(offset - d - 1, offset + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && far[offset + k - 1] < far[offset + k + 1]);
      let x = down ? far[offset + k + 1] : far[offset + k - 1] + 1;
      while (x < n && x - k < m && a[x] === b[x - k]) x += 1;
      far[offset + k] = x;
      if (x >= n && x - k >= m) return backwards(a, b, rounds, d);
    }
  }
  return null;
}

function backwards(a, b, rounds, last) {
  const steps = [];
  let x = a.length;
  let y = b.length;
  for (let d = last; d > 0; d -= 1) {
    const far = (k) => rounds[d][k + d + 1];
    const k = x - y;
    const down = k === -d || (k !== d && far(k - 1) < far(k + 1));
    const from = down ? k + 1 : k - 1;
    const start = down ? far(from) : far(from) + 1;
    while (x > start) {
      x -= 1;
      y -= 1;
      steps.push({ kind: "same", text: a[x] });
    }
    if (down) {
      y -= 1;
      steps.push({ kind: "new", text: b[y] });
    } else {
      x -= 1;
      steps.push({ kind: "gone", text: a[x] });
    }
  }
  while (x > 0) {
    x -= 1;
    steps.push({ kind: "same", text: a[x] });
  }
  return steps.reverse();
}

/** Join neighbours of a kind; what goes stands before what comes, blanks between changes go with them. */
function merged(steps) {
  const parts = [];
  let gone = "";
  let come = "";
  const flush = () => {
    if (gone) parts.push({ kind: "gone", text: gone });
    if (come) parts.push({ kind: "new", text: come });
    gone = "";
    come = "";
  };
  steps.forEach((step, i) => {
    const next = steps[i + 1]?.kind ?? "same";
    if (step.kind === "gone") gone += step.text;
    else if (step.kind === "new") come += step.text;
    else if ((gone || come) && /^\s+$/.test(step.text) && next !== "same") {
      gone += step.text;
      come += step.text;
    } else {
      flush();
      const last = parts[parts.length - 1];
      if (last?.kind === "same") last.text += step.text;
      else parts.push({ kind: "same", text: step.text });
    }
  });
  flush();
  return parts;
}
