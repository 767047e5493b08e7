/** What is picked: a segment, a span of time, a lane. */

import { Emitter } from "./emitter.js";
import { same } from "./track.js";

/** Emits `change`. */
export class Selection extends Emitter {
  /** @type {import("./track.js").Segment|null} */
  segment = null;
  /** @type {{start: number, end: number}|null} */
  range = null;
  /** @type {string|null} */
  lane = null;

  pick(segment) {
    this.segment = segment;
    this.range = null;
    if (segment) this.lane = segment.label;
    this.emit("change");
  }

  /** Pick a span of time, in whatever order its ends are given. */
  span(from, to, lane = this.lane) {
    this.range = { start: Math.min(from, to), end: Math.max(from, to) };
    this.segment = null;
    this.lane = lane;
    this.emit("change");
  }

  clear() {
    this.segment = null;
    this.range = null;
    this.emit("change");
  }

  /** Begin anew with another recording. */
  reset() {
    this.lane = null;
    this.clear();
  }

  /** The start and end of what is picked, or null. */
  get bounds() {
    return this.segment ?? this.range;
  }

  /** Whether one end of a span is put down and the other is still to come. */
  get waits() {
    return this.range !== null && this.range.start === this.range.end;
  }

  holds(segment) {
    return this.segment !== null && same(this.segment, segment);
  }
}
