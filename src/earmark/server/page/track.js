/** Segments of a timeline, in the order of time, found by halving. */

/** @typedef {{start: number, end: number, label: string, confidence?: number|null}} Segment */

/** Whether two segments are the same for an edit. */
export const same = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;

const byTime = (a, b) => a.start - b.start || a.end - b.end || (a.label < b.label ? -1 : 1);

/** Return the first place of a sorted list for which `before` no longer holds. */
function firstNot(list, before) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(list[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Track {
  #lanes = new Map();
  #all = null;

  /**
   * @param {Iterable<Segment>} segments
   * @param {Iterable<string>} labels those looked for; labels of segments come after them
   * @param {number} duration seconds
   */
  constructor(segments, labels, duration) {
    this.duration = duration;
    for (const label of labels) this.#lanes.set(label, []);
    for (const segment of segments) this.#lane(segment.label).push(segment);
    for (const lane of this.#lanes.values()) lane.sort(byTime);
  }

  #lane(label) {
    if (!this.#lanes.has(label)) this.#lanes.set(label, []);
    return this.#lanes.get(label);
  }

  /** Labels, in the order of the lanes. */
  get labels() {
    return [...this.#lanes.keys()];
  }

  /** Segments of a label; none of them overlap. */
  lane(label) {
    return this.#lanes.get(label) ?? [];
  }

  /** All segments by start. */
  get all() {
    this.#all ??= [...this.#lanes.values()].flat().sort(byTime);
    return this.#all;
  }

  /** Return the places [from, to) of a label's segments that touch a span of time. */
  within(label, start, end) {
    const lane = this.lane(label);
    return [firstNot(lane, (s) => s.end <= start), firstNot(lane, (s) => s.start < end)];
  }

  /** Return a label's segment at a time, or null. */
  at(label, time) {
    const lane = this.lane(label);
    const found = lane[firstNot(lane, (s) => s.end <= time)];
    return found && found.start <= time ? found : null;
  }

  /** Return the segment of the track that is the same as another, or null. */
  find(segment) {
    const lane = this.lane(segment.label);
    for (let i = firstNot(lane, (s) => s.start < segment.start); i < lane.length && lane[i].start === segment.start; i++)
      if (lane[i].end === segment.end) return lane[i];
    return null;
  }

  /** Return the neighbours of a label's span: the last segment that ends by its start, the first from its end. */
  around(label, start, end) {
    const lane = this.lane(label);
    return [lane[firstNot(lane, (s) => s.end <= start) - 1] ?? null, lane[firstNot(lane, (s) => s.start < end)] ?? null];
  }

  /** Return the place of the first of `all` that starts at a time or later. */
  from(time) {
    return firstNot(this.all, (s) => s.start < time);
  }

  /** Return those of an edit's segments to be removed that are not there. */
  missing(edit) {
    return edit.remove.filter((segment) => !this.find(segment));
  }

  /** Make an edit; what is not there cannot be removed and is passed over, as is what is there already. */
  apply(edit) {
    for (const segment of edit.remove) {
      const found = this.find(segment);
      if (found) this.#lane(segment.label).splice(this.lane(segment.label).indexOf(found), 1);
    }
    for (const segment of edit.add) {
      if (this.find(segment)) continue;
      const lane = this.#lane(segment.label);
      lane.splice(firstNot(lane, (s) => byTime(s, segment) < 0), 0, segment);
    }
    this.#all = null;
  }

  /** Return the spans of time, from `start` to `end` of them, that two labels have in common. */
  overlap(one, other, start, end) {
    const [a, b] = [this.lane(one), this.lane(other)];
    const [[i0, i1], [k0, k1]] = [this.within(one, start, end), this.within(other, start, end)];
    const found = [];
    for (let i = i0, k = k0; i < i1 && k < k1; ) {
      const span = { start: Math.max(a[i].start, b[k].start), end: Math.min(a[i].end, b[k].end) };
      if (span.start < span.end) found.push(span);
      if (a[i].end < b[k].end) i += 1;
      else k += 1;
    }
    return found;
  }

  /** Return seconds of a label. */
  seconds(label) {
    let sum = 0;
    for (const segment of this.lane(label)) sum += segment.end - segment.start;
    return sum;
  }
}
