/** Edits on their way to the server: a queue for each timeline, which goes on whatever is shown. */

import * as api from "./api.js";
import { Emitter } from "./emitter.js";

const RETRY_MS = 2000;

/**
 * @typedef {object} Entry
 * @property {string} id the same each time it is sent, so that it is made once
 * @property {string} recording
 * @property {string} timeline
 * @property {number} base the version it was made from
 * @property {import("./history.js").Edit} edit
 * @property {string} name what it is, e.g. "Split speech"
 */

/**
 * Emits `state` (more or fewer wait), `saved` ({entry, name, version}: what the edit is in now), `moved` ({recording,
 * from, to}: edits of a timeline go to another one) and `refused` ({recording, timeline, refused: [{entry, error}]}).
 */
export class Queues extends Emitter {
  /** @type {Map<string, Entry[]>} */
  #waiting = new Map();
  #sending = new Set();
  #refused = new Map();
  #count = 0;

  /** How many edits are not saved yet. */
  get size() {
    let sum = 0;
    for (const entries of this.#waiting.values()) sum += entries.length;
    return sum;
  }

  /** Edits of a timeline that wait, in their order. */
  of(recording, timeline) {
    return this.#waiting.get(key(recording, timeline)) ?? [];
  }

  /** Have an edit saved, after those of the same timeline that wait. */
  add(recording, timeline, base, edit, name) {
    this.#count += 1;
    this.#put({ id: `${api.CLIENT}-${this.#count}`, recording, timeline, base, edit, name });
    this.emit("state");
    this.#send(recording, timeline);
  }

  #put(entry) {
    const place = key(entry.recording, entry.timeline);
    if (!this.#waiting.has(place)) this.#waiting.set(place, []);
    this.#waiting.get(place).push(entry);
  }

  async #send(recording, timeline) {
    const place = key(recording, timeline);
    if (this.#sending.has(place)) return;
    this.#sending.add(place);
    while (this.of(recording, timeline).length) {
      const [entry] = this.of(recording, timeline);
      try {
        const { name, version } = await api.edit(recording, timeline, { id: entry.id, base: entry.base, ...entry.edit });
        this.#waiting.get(place).shift();
        if (name !== timeline) this.#move(recording, timeline, name);
        this.emit("saved", { entry, name, version });
      } catch (error) {
        if (api.passing(error)) {
          this.#tell(recording, timeline);
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
          continue;
        }
        this.#waiting.get(place).shift();
        if (!this.#refused.has(place)) this.#refused.set(place, []);
        this.#refused.get(place).push({ entry, error });
      }
      this.emit("state");
    }
    this.#waiting.delete(place);
    this.#sending.delete(place);
    this.#tell(recording, timeline);
  }

  /** What a model found is left as it is: the edits go to a copy, and those that wait with them. */
  #move(recording, from, to) {
    for (const entry of this.of(recording, from).splice(0)) this.#put({ ...entry, timeline: to });
    this.emit("moved", { recording, from, to });
    if (this.of(recording, to).length) this.#send(recording, to);
  }

  /** Tell what was refused, once for all that were sent together: one often follows from the other. */
  #tell(recording, timeline) {
    const place = key(recording, timeline);
    const refused = this.#refused.get(place);
    this.#refused.delete(place);
    if (refused) this.emit("refused", { recording, timeline, refused });
  }
}

const key = (recording, timeline) => `${recording}/${timeline}`;
