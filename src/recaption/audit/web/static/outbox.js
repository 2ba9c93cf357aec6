// What was said and is not acknowledged yet. Sent one after the other, in order, again and again until there is an
// answer; each under one request id, so that it counts once. Lies in session storage, so a reload loses nothing.

import { call, mayPass, pause } from "./api.js";
import { keep, recall } from "./kept.js";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8000;

export class Outbox {
  /** `settled(entry, answer)` is called for every answer that is final, `troubled(bool)` when the server goes or comes. */
  constructor(settled, troubled, shut) {
    this.settled = settled;
    this.troubled = troubled;
    this.shut = shut;
    this.entries = recall("outbox", []);
    this.running = false;
    this.wake = null;
    this.isTroubled = false;
    this.isStopped = false;
    addEventListener("online", () => this.wake?.());
  }

  /** Items that are still to be heard of by the server. */
  get items() {
    return this.entries.map((entry) => entry.item).filter((item) => item !== undefined && item !== null);
  }

  get length() {
    return this.entries.length;
  }

  /** Take an entry {path, body, item, …}; it is kept before it is sent. */
  push(entry) {
    this.entries.push(entry);
    keep("outbox", this.entries);
    this.run();
  }

  /** Send nothing more from here: whose session comes next is not known. What waits stays kept. */
  stop() {
    this.isStopped = true;
  }

  async run() {
    if (this.running || this.isStopped) return;
    this.running = true;
    let wait = FIRST_PAUSE_MS;
    while (this.entries.length && !this.isStopped) {
      const entry = this.entries[0];
      const answer = await call(entry.path, entry.body);
      if (answer.status === 401) {
        this.running = false;
        this.shut();
        return;
      }
      if (mayPass(answer.status)) {
        this.isTroubled = true;
        this.troubled(true);
        await Promise.race([pause(wait), new Promise((resolve) => { this.wake = resolve; })]);
        wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
        continue;
      }
      wait = FIRST_PAUSE_MS;
      this.entries.shift();
      keep("outbox", this.entries);
      this.settled(entry, answer);
      if (this.entries.length) continue;
      this.isTroubled = false;
      this.troubled(false); // not before: it says that everything is saved
    }
    this.running = false;
  }
}
