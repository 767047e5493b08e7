/** Which span of time is seen, and where a moment of it lies. */

import { Emitter } from "./emitter.js";

/** The shortest span that can be seen, seconds. */
export const SHORTEST = 0.05;

/** Emits `change` when the span, the width or the duration does. */
export class TimeView extends Emitter {
  start = 0;
  span = 1;
  width = 1;
  duration = 1;

  get end() {
    return this.start + this.span;
  }

  get secondsPerPixel() {
    return this.span / this.width;
  }

  /** Where a time lies, CSS pixels from the left. */
  x(time) {
    return ((time - this.start) / this.span) * this.width;
  }

  /** The time at a place. */
  time(x) {
    return this.start + (x / this.width) * this.span;
  }

  /** Begin with another recording. */
  reset(duration) {
    this.duration = Math.max(duration, SHORTEST);
    this.start = 0;
    this.span = this.duration;
    this.emit("change");
  }

  resize(width) {
    if (width > 0 && width !== this.width) {
      this.width = width;
      this.emit("change");
    }
  }

  /** Show a span as far as there is one. */
  show(start, span) {
    const wanted = Math.min(Math.max(span, Math.min(SHORTEST, this.duration)), this.duration);
    const from = Math.min(Math.max(start, 0), this.duration - wanted);
    if (wanted === this.span && from === this.start) return;
    this.span = wanted;
    this.start = from;
    this.emit("change");
  }

  /** Zoom by a factor (2 shows half as much); `time` stays where it is. */
  zoom(factor, time = this.start + this.span / 2) {
    const span = Math.min(Math.max(this.span / factor, SHORTEST), this.duration);
    this.show(time - ((time - this.start) / this.span) * span, span);
  }

  pan(seconds) {
    this.show(this.start + seconds, this.span);
  }

  fit() {
    this.show(0, this.duration);
  }

  /** Show a span with some room around it. */
  frame(start, end) {
    const room = Math.max(0.15 * (end - start), SHORTEST / 4);
    this.show(start - room, end - start + 2 * room);
  }

  /** Bring a span into sight without zooming in; what is longer than the view is shown from its start. */
  reveal(start, end = start) {
    const room = 0.08 * this.span;
    if (end - start > this.span - 2 * room) this.show(start - room, this.span);
    else if (start < this.start + room || end > this.end - room)
      this.show((start + end - this.span) / 2, this.span);
  }
}
