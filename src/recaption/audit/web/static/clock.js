// How long an item has been looked at: the time in a tab that is hidden does not count.

export class Clock {
  constructor() {
    this.spent = 0;
    this.since = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.go()));
  }

  start(spent = 0) {
    this.spent = spent;
    this.since = null;
    this.on = true;
    if (!document.hidden) this.go();
  }

  go() {
    if (this.on && this.since === null) this.since = performance.now();
  }

  stop() {
    if (this.since !== null) this.spent += performance.now() - this.since;
    this.since = null;
  }

  end() {
    this.stop();
    this.on = false;
  }

  get ms() {
    const running = this.since === null ? 0 : performance.now() - this.since;
    return Math.min(Math.round(this.spent + running), 86400000);
  }
}
