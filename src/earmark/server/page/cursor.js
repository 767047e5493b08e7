/** What buttons and keys do where the cursor is, and with what is picked. */

import { Compare } from "./compare.js";
import { asked } from "./dialogs.js";
import { named } from "./editor.js";
import { clock, parseTime } from "./format.js";
import { say } from "./notices.js";

export class Cursor {
  #pointed = null;

  /** @param {object} parts view, marks, selection, player, editor, list, compare */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Go to a segment: pick it, bring it into sight, put the cursor to its start. */
  go(segment) {
    this.player.seek(segment.start);
    this.selection.pick(segment);
    this.view.reveal(segment.start, segment.end);
  }

  /** Go to the next or previous segment of those listed. */
  step(direction) {
    const found = this.list.step(direction, this.player.position);
    if (found) this.go(found);
    else say(direction > 0 ? "This is the last segment." : "This is the first segment.");
  }

  disagreement(direction) {
    const found = this.compare.step(direction, this.player.position);
    if (!found) {
      say(this.compare.comparison ? "There is no further disagreement." : "Nothing is compared.");
      return;
    }
    this.player.seek(found.start);
    this.selection.span(found.start, found.end, found.label);
    this.view.reveal(found.start, found.end);
    say(Compare.told(found));
  }

  async jump() {
    const check = (text) => (parseTime(text) === null ? "A time looks like 83.5, 1:23.5, 1:02:03 or 5m 30s." : null);
    const text = await asked("Jump to a time", { label: "Time", value: clock(this.player.position, 2), hint: "83.5, 1:23.5, 1:02:03 or 5m 30s", action: "Jump", check });
    if (text === null) return;
    this.player.seek(parseTime(text));
    this.view.reveal(this.player.position);
  }

  /** Move the cursor by seconds, and have it in sight. */
  move(seconds) {
    this.player.seek(this.player.position + seconds);
    this.view.reveal(this.player.position);
  }

  /** Put an end of the selected span to the cursor. */
  point(edge) {
    const { position } = this.player;
    const { range } = this.selection;
    let other = position;
    if (range && range.end > range.start) other = edge === "start" ? Math.max(range.end, position) : Math.min(range.start, position);
    else if (range && this.#pointed !== edge) other = range.start;
    this.#pointed = edge;
    this.selection.span(position, other, this.selection.lane ?? this.marks.shown?.labels[0] ?? null);
    say(`Selection ${clock(this.selection.range.start, 2)} to ${clock(this.selection.range.end, 2)}.`);
  }

  playPicked() {
    const { bounds } = this.selection;
    if (bounds && bounds.end > bounds.start) this.player.play(bounds.start, bounds.end);
    else this.player.toggle();
  }

  zoomPicked() {
    const { bounds } = this.selection;
    if (bounds) this.view.frame(bounds.start, bounds.end);
    else say("Pick a segment or a span first.");
  }

  /** Give what is picked a label: a segment another one, a span a segment of its own. */
  label(label) {
    const { segment, range } = this.selection;
    if (segment) this.editor.relabel(segment, label);
    else if (range) this.editor.draw(label, range.start, range.end);
    else {
      this.selection.lane = label;
      this.selection.emit("change");
    }
  }

  /** Tell what is picked for the keys that change it; null, and a word, if nothing is. */
  get segment() {
    const { segment } = this.selection;
    if (!segment) say("Pick a segment first: click it, or go to one with ↓.");
    return segment;
  }

  /** Move an end of the picked segment by seconds. */
  nudge(edge, seconds) {
    const { segment } = this;
    if (!segment) return;
    this.editor.setEdge(segment, edge, segment[edge] + seconds);
    const now = this.selection.segment;
    if (now) {
      this.view.reveal(now[edge]);
      say(named(now));
    }
  }
}
