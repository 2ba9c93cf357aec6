// What outlives a reload: this window's work (session storage) and this person's taste (local storage).

let room = "none";

/** Keep one audit's work apart from another's, and one auditor's from another's. */
export function keepFor(project, auditor) {
  room = `${project}.${auditor}`;
}

function read(storage, name, otherwise) {
  try {
    const text = storage().getItem(name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

function write(storage, name, value) {
  try {
    if (value === null || value === undefined) storage().removeItem(name);
    else storage().setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false; // full or shut: the page itself still has it
  }
}

const session = () => window.sessionStorage;
const local = () => window.localStorage;
const name = (part) => `recaption.audit.${room}.${part}`;

export const recall = (part, otherwise = null) => read(session, name(part), otherwise);
export const keep = (part, value) => write(session, name(part), value);

/** Return the names of others whose words still wait in this window, for one audit or, before it is known, for any. */
export function othersWaiting(project = "") {
  const names = [];
  try {
    for (const key of Object.keys(session())) {
      const [, place] = /^recaption\.audit\.(.+)\.outbox$/.exec(key) ?? [];
      if (!place || place === room || !place.startsWith(project) || !read(session, key, []).length) continue;
      names.push(read(session, `recaption.audit.${place}.name`, "–"));
    }
  } catch { /* shut: then nothing is kept either */ }
  return names;
}

/** Say to all windows who is here now, and call `changed` when another one says somebody else: they share the cookie. */
export function here(changed) {
  const now = room;
  setTaste("who", now);
  addEventListener("storage", ({ key, newValue }) => {
    if (key === "recaption.audit.who" && newValue && newValue !== now) changed();
  });
}

export const taste = (part, otherwise = null) => {
  try { return local().getItem(`recaption.audit.${part}`) ?? otherwise; } catch { return otherwise; }
};
export const setTaste = (part, value) => {
  try { local().setItem(`recaption.audit.${part}`, value); } catch { /* then it holds until the page is closed */ }
};
