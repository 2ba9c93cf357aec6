// The way in: the token of a link, and a session that comes back while its window stands open.

import { call, pause } from "./api.js";

const TOKEN = /[#&]token=([^&]+)/;
const FIRST_LOOK_MS = 5000;
const LONGEST_LOOK_MS = 60000;

/** Use up the token of the link; true where that worked or there is none. `patiently` asks until there is an answer. */
export async function enter(patiently) {
  const token = TOKEN.exec(location.hash)?.[1];
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (!token) return true;
  return (await patiently(() => call("/enter", { token: decodeURIComponent(token) }))).ok;
}

/** A link that is opened where the page stands already changes the address and nothing else: load the page for it. */
export function heedLinks() {
  addEventListener("hashchange", () => { if (TOKEN.test(location.hash)) location.reload(); });
}

/** Load the page again once this browser is let in: the link may be opened in another window. */
export async function letIn() {
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(1.5 * wait, LONGEST_LOOK_MS)) {
    await Promise.race([pause(wait), turned()]);
    if ((await call("/api/session")).ok) break;
  }
  location.reload();
}

const turned = () => new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
