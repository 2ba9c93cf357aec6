// Several windows of one auditor: each asks the others what they show, so that none shows the same.

import { pause } from "./api.js";

const WAIT_MS = 40;

export class Tabs {
  constructor(name, places) {
    this.heard = [];
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
    if (!this.channel) return;
    this.channel.onmessage = ({ data }) => {
      if (data === "who has what?") this.channel.postMessage(places());
      else if (Array.isArray(data)) this.heard.push(...data.filter(Number.isInteger));
    };
  }

  async others() {
    if (!this.channel) return [];
    this.heard = [];
    this.channel.postMessage("who has what?");
    await pause(WAIT_MS);
    return this.heard.slice(0, 60);
  }
}
