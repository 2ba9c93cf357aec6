// The flow of items: one on screen, the next at hand, what was said on its way. The page never waits for the server
// as long as it has something to show.

import { call, mayPass, pause, picture, requestId } from "./api.js";
import { Clock } from "./clock.js";
import { keep, recall } from "./kept.js";
import { Outbox } from "./outbox.js";
import { Tabs } from "./tabs.js";

const POLL_MS = 15000;
const PATIENCE_MS = 300;
const REMEMBERED = 50;
const LONGEST_PAUSE_MS = 8000;

export class Work {
  /** `on` is told: shown(held, draft), waiting(), emptied(progress), progressed(progress), troubled(bool), shut(), lost(entry, answer). */
  constructor(session, on) {
    Object.assign(this, { session, on, current: null, ahead: [], fetching: null, skipped: false, isShut: false, seen: new Set() });
    this.clock = new Clock();
    this.outbox = new Outbox((entry, answer) => this.settled(entry, answer), on.troubled, () => this.shut());
    this.tabs = new Tabs(`recaption.audit.${session.project}.${session.auditor.id}`, () => [...this.places, ...this.outbox.items]);
    this.active = performance.now();
    for (const sign of ["keydown", "pointerdown", "wheel"]) {
      addEventListener(sign, () => { this.active = performance.now(); }, { passive: true });
    }
    setInterval(() => this.renew(), Math.max(1000, session.lease_ms / 3));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.note() : this.renew()));
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  get places() {
    return [...(this.current ? [this.current.item.item] : []), ...this.ahead.map((held) => held.item.item)];
  }

  begin() {
    this.progressed(this.session.progress);
    this.outbox.run();
    return this.advance();
  }

  /** Show the next item, at once where it is at hand. */
  async advance() {
    this.current = null;
    clearTimeout(this.polling);
    if (!this.ahead.length) {
      const slow = setTimeout(() => this.on.waiting(), PATIENCE_MS);
      await (this.fetching ?? this.fetch());
      clearTimeout(slow);
    }
    if (this.current || this.isShut) return undefined; // an undo has brought one back meanwhile
    const next = this.ahead.shift();
    if (!next) {
      if (this.skipped) {
        this.skipped = false;
        return this.advance();
      }
      this.polling = setTimeout(() => this.advance(), this.pollMs());
      this.on.emptied(this.progress);
      return undefined;
    }
    this.present(next);
    this.prefetch();
    return undefined;
  }

  present(held) {
    this.current = held;
    const draft = recall(`draft.${held.item.item}`, {});
    this.clock.start(draft.spent ?? 0);
    this.on.shown(held, draft);
  }

  prefetch() {
    if (!this.ahead.length && !this.fetching) this.fetch();
  }

  fetch() {
    this.fetching = this.fetchOne().finally(() => { this.fetching = null; });
    return this.fetching;
  }

  async fetchOne() {
    for (let wait = 400; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      const beside = [...new Set([...this.places, ...this.outbox.items, ...(await this.tabs.others())])];
      const answer = await call("/api/next", { beside, skipped: this.skipped });
      if (answer.ok) {
        if (!this.outbox.length) this.on.troubled(false); // otherwise the outbox says so when it is empty
        this.progressed(answer.body.progress);
        await this.take(answer.body.item);
        return;
      }
      if (answer.status === 401) {
        this.shut();
        return;
      }
      if (!mayPass(answer.status)) {
        this.on.lost(null, answer);
        return;
      }
      this.on.troubled(true);
      await pause(wait);
    }
  }

  async take(item) {
    if (!item) return;
    if (this.skipped && this.seen.has(item.item)) { // once around is enough
      await call("/api/release", { fence: item.fence }); // or the queue would hand it out as held
      return;
    }
    if (this.skipped) this.seen.add(item.item);
    this.ahead.push(heldOf(item));
  }

  /** The session has ended: ask and send nothing more, in whoever's name it might be. */
  shut() {
    if (this.isShut) return;
    this.isShut = true;
    this.outbox.stop();
    this.on.shut();
  }

  /** Go through what was skipped before. */
  revisit() {
    this.skipped = true;
    this.seen = new Set();
    return this.advance();
  }

  /** Send a verdict on what is on screen, and go on. */
  say(draft) {
    const { item } = this.current;
    const body = {
      request: requestId(), item: item.item, fence: item.fence, shown: item.shown,
      guideline: this.session.guideline_version, took_ms: this.clock.ms, ...draft,
    };
    const { text = null, own = "" } = recall(`draft.${item.item}`, {}); // written and not said: an undo brings it back
    this.remember(item.item, { text, own, ...draft });
    keep(`draft.${item.item}`, null);
    this.send("/api/verdict", body, item.item);
  }

  /** Leave the item to others; what was written stays here for when it comes back. */
  skip() {
    const { item } = this.current;
    this.send("/api/skip", { request: requestId(), fence: item.fence }, item.item);
  }

  send(path, body, item) {
    this.clock.end();
    forget(this.current);
    this.outbox.push({ path, body, item });
    this.on.progressed(this.progress);
    this.advance();
  }

  undo() {
    if (this.outbox.entries.some((entry) => entry.path === "/api/undo")) return;
    this.outbox.push({ path: "/api/undo", body: { request: requestId() } });
  }

  /** Save one's own word in place of the one that stands. */
  insist(entry, base) {
    const { fence: _, ...body } = entry.body;
    this.outbox.push({ path: "/api/verdict", item: entry.item, body: { ...body, base, request: requestId() } });
  }

  /** Put words back on an item that is open elsewhere, and open it here. */
  reopen(entry) {
    keep(`draft.${entry.item}`, draftOf(entry.body));
    this.aside();
    return this.advance();
  }

  /** Keep what is being written. */
  drafted(state) {
    if (this.current) keep(`draft.${this.current.item.item}`, { ...state, spent: this.clock.ms });
  }

  note() {
    if (!this.current) return;
    const place = `draft.${this.current.item.item}`;
    keep(place, { ...recall(place, {}), spent: this.clock.ms });
  }

  aside() {
    if (!this.current) return;
    this.note();
    this.ahead.unshift(this.current);
    this.current = null;
  }

  settled(entry, answer) {
    if (!answer.ok) {
      this.on.lost(entry, answer);
      return;
    }
    this.progressed(answer.body.progress);
    if (entry.path !== "/api/undo") return;
    const { back } = answer.body;
    this.on.undone(back);
    if (!back) return;
    const said = recall("said", []).find(([item]) => item === back.item);
    if (said && !recall(`draft.${back.item}`)) keep(`draft.${back.item}`, draftOf(said[1]));
    clearTimeout(this.polling);
    this.aside();
    this.present(heldOf(back));
  }

  remember(item, draft) {
    const others = recall("said", []).filter(([place]) => place !== item);
    keep("said", [...others, [item, draft]].slice(-REMEMBERED));
  }

  progressed(progress) {
    this.progress = progress;
    this.on.progressed(progress);
  }

  pollMs() {
    const frees = this.progress?.frees_in_ms;
    return frees === null || frees === undefined ? POLL_MS : Math.min(POLL_MS, frees + 500);
  }

  async renew() {
    if (performance.now() - this.active > this.session.lease_ms) return; // nobody is here
    for (const held of [this.current, ...this.ahead]) {
      if (held) await call("/api/renew", { fence: held.item.fence }); // one that ended may still be judged
    }
  }

  /** Let others have what was fetched ahead; what is on screen stays for when the page is loaded again. */
  leave() {
    this.note();
    for (const held of this.ahead.splice(0)) call("/api/release", { fence: held.item.fence }, { keepalive: true });
  }
}

/** An item and its picture, which begins to load. */
function heldOf(item) {
  return { item, picture: item.image ? picture(item.image) : Promise.resolve(null) };
}

async function forget(held) {
  const shown = await held.picture;
  if (shown?.url) setTimeout(() => URL.revokeObjectURL(shown.url), 2000);
}

function draftOf(body) {
  return {
    text: body.text ?? null, facts: body.facts ?? [], mode: body.action === "edit" ? "edit" : "look",
    own: body.action === "reject" ? body.reason : body.own ?? "",
  };
}
