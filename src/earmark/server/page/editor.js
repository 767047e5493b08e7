/** Changes of segments: each becomes an edit that removes some and adds others. */

import { clock } from "./format.js";
import { same } from "./track.js";

/** Segments are at least this long, seconds. */
export const SHORTEST_S = 0.01;

/** Times are kept to the millisecond. */
export const rounded = (time) => Math.round(time * 1000) / 1000;

/** Tells in words what a segment is. */
export const named = (segment) => `${segment.label} ${clock(segment.start, 1)}–${clock(segment.end, 1)}`;

export class Editor {
  /**
   * @param {import("./marks.js").Marks} marks
   * @param {import("./selection.js").Selection} selection
   * @param {(message: string) => void} say
   */
  constructor(marks, selection, say) {
    this.marks = marks;
    this.selection = selection;
    this.say = say;
  }

  /** Whether segments can be changed now; says why not. */
  get ready() {
    if (!this.marks.track) return false;
    if (this.marks.preview) this.say("This is a preview. Keep it or discard it before you change segments.");
    return !this.marks.preview;
  }

  /** Return the edit that puts a segment in the place of others; what it overlaps of its label becomes part of it. */
  placing(segment, replaced = []) {
    const { track } = this.marks;
    const [from, to] = track.within(segment.label, segment.start, segment.end);
    const met = track.lane(segment.label).slice(from, to).filter((s) => !replaced.some((gone) => same(gone, s)));
    const start = Math.max(0, Math.min(segment.start, ...met.map((s) => s.start)));
    const end = Math.min(track.duration, Math.max(segment.end, ...met.map((s) => s.end)));
    return { remove: [...replaced, ...met], add: [{ ...segment, start, end }] };
  }

  #make(edit, name, picked = edit.add[0]) {
    if (this.marks.track.missing(edit).length) {
      this.say("This segment has changed meanwhile; pick it again.");
      return;
    }
    this.marks.edit(edit, name);
    this.selection.pick(picked ? this.marks.track.find(picked) : null);
    this.say(`${name}.`);
  }

  /** Add a segment. */
  draw(label, start, end) {
    if (!this.ready) return;
    if (end - start < SHORTEST_S) {
      this.say("Select a span of time first: In where it starts, Out where it ends.");
      return;
    }
    const segment = { start: rounded(start), end: Math.min(rounded(end), this.marks.track.duration), label };
    this.#make(this.placing(segment), `Added ${named(segment)}`);
  }

  remove(segment) {
    if (!this.ready || !segment) return;
    const lane = this.marks.track.lane(segment.label);
    const after = lane[lane.findIndex((s) => same(s, segment)) + 1];
    this.#make({ remove: [segment], add: [] }, `Deleted ${named(segment)}`, after);
  }

  split(segment, time) {
    if (!this.ready || !segment) return;
    const at = rounded(time);
    if (at - segment.start < SHORTEST_S || segment.end - at < SHORTEST_S) {
      this.say("Put the cursor inside the segment to split it.");
      return;
    }
    const edit = { remove: [segment], add: [{ ...segment, end: at }, { ...segment, start: at }] };
    this.#make(edit, `Split ${segment.label} at ${clock(at, 2)}`, edit.add[1]);
  }

  /** Join a segment with the next of its label, or the one before if it is the last. */
  merge(segment) {
    if (!this.ready || !segment) return;
    const lane = this.marks.track.lane(segment.label);
    const place = lane.findIndex((s) => same(s, segment));
    const other = lane[place + 1] ?? lane[place - 1];
    if (!other) {
      this.say(`There is no other segment of ${segment.label} to merge with.`);
      return;
    }
    const joined = {
      start: Math.min(segment.start, other.start),
      end: Math.max(segment.end, other.end),
      label: segment.label,
    };
    this.#make({ remove: [segment, other], add: [joined] }, `Merged into ${named(joined)}`);
  }

  relabel(segment, label) {
    if (!this.ready || !segment || segment.label === label) return;
    const { start, end } = segment;
    this.#make(this.placing({ start, end, label }, [segment]), `${segment.label} is ${label} now`);
  }

  /** Return a segment with one end elsewhere, as far as its neighbours let it. */
  moved(segment, edge, time) {
    const [before, after] = this.marks.track.around(segment.label, segment.start, segment.end);
    if (edge === "start") {
      const start = Math.max(before?.end ?? 0, Math.min(rounded(time), segment.end - SHORTEST_S));
      return { ...segment, start };
    }
    const end = Math.min(after?.start ?? this.marks.track.duration, Math.max(rounded(time), segment.start + SHORTEST_S));
    return { ...segment, end };
  }

  /** Put an end of a segment elsewhere. */
  setEdge(segment, edge, time) {
    if (!this.ready || !segment) return;
    const moved = this.moved(segment, edge, time);
    if (same(moved, segment)) return;
    const sign = moved[edge] > segment[edge] ? "later" : "earlier";
    this.#make({ remove: [segment], add: [moved] }, `${edge === "start" ? "Start" : "End"} ${sign}: ${named(moved)}`);
  }

  /** Give a segment other bounds. */
  setBounds(segment, start, end) {
    if (!this.ready || !segment) return;
    const moved = { ...segment, start: rounded(start), end: rounded(end) };
    if (same(moved, segment)) return;
    if (moved.end - moved.start < SHORTEST_S) this.say("A segment must end after its start.");
    else this.#make(this.placing(moved, [segment]), `Moved to ${named(moved)}`);
  }

  undo() {
    if (!this.ready) return;
    const name = this.marks.undo();
    this.selection.clear();
    this.say(name ? `Undone: ${name}.` : "There is nothing to undo.");
  }

  redo() {
    if (!this.ready) return;
    const name = this.marks.redo();
    this.selection.clear();
    this.say(name ? `Done again: ${name}.` : "There is nothing to do again.");
  }

  /** Make a change that the server refused once more, over what is there now. */
  again(edit, name) {
    const { track } = this.marks;
    const touched = (segment) => {
      const [from, to] = track.within(segment.label, segment.start, segment.end);
      return track.lane(segment.label).slice(from, to);
    };
    const remove = [...new Set([...edit.remove, ...edit.add].flatMap(touched))];
    this.#make({ remove, add: edit.add }, name);
  }
}
