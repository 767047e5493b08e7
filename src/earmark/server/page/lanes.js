/** Lanes of segments with the curves under them. */

import { length } from "./format.js";
import { Layer } from "./layer.js";
import { same } from "./track.js";
import { theme } from "./theme.js";
import { grid } from "./waveform.js";

/** The height of a bar in CSS pixels. */
const BAR = 24;
/** Letters of segments are hardly wider than this. */
const LETTER = 6.4;

/** How much of a pixel's colour is left where the segments of many cover next to nothing of it, and steps up to all. */
const FAINTEST = 0.3;
const STEPS = 8;

/** Return spans of pixels that the segments of a lane cover; those closer than a pixel are one, of many parts. */
export function runs(lane, from, to, view, width) {
  const found = [];
  let last = null;
  for (let i = from; i < to; i++) {
    const left = Math.max(-8, view.x(lane[i].start));
    const right = Math.min(width + 8, view.x(lane[i].end));
    if (last && left - last.right < 0.75 && (right - left < 3 || last.right - last.left < 3)) {
      last.right = Math.max(last.right, right);
      last.segment = null;
      last.parts.push(left, right);
    } else {
      last = { left, right, segment: lane[i], parts: [left, right] };
      found.push(last);
    }
  }
  return found;
}

/** Fill a run, each pixel the stronger the more of it is covered. */
export function shade(context, { left, right, parts }, top, height) {
  const first = Math.floor(left);
  const covered = new Float32Array(Math.max(1, Math.ceil(right) - first));
  for (let i = 0; i < parts.length; i += 2) {
    const [from, to] = [parts[i] - first, Math.max(parts[i + 1], parts[i] + 0.01) - first];
    for (let x = Math.floor(from); x < Math.min(to, covered.length); x++) covered[x] += Math.min(to, x + 1) - Math.max(from, x);
  }
  const step = (x) => Math.ceil(STEPS * Math.min(1, covered[x]) - 0.01);
  const whole = context.globalAlpha;
  for (let x = 0; x < covered.length; ) {
    const from = x;
    const strength = step(x);
    while (x < covered.length && step(x) === strength) x += 1;
    if (!strength && !covered[from]) continue;
    context.globalAlpha = whole * (FAINTEST + ((1 - FAINTEST) * strength) / STEPS);
    context.fillRect(first + from, top, x - from, height);
  }
  context.globalAlpha = whole;
}

export class Lanes {
  /** @type {import("./compare.js").Comparison|null} */
  comparison = null;
  /** An edit that is being dragged. */
  draft = null;

  constructor(canvas, view, marks, selection, curves) {
    Object.assign(this, { view, marks, selection, curves, hatches: {} });
    this.layer = new Layer(canvas, (context, width) => this.#paint(context, width));
    for (const source of [view, marks, selection]) source.on("change", () => this.layer.invalidate());
    theme.on("change", () => (this.hatches = {}));
  }

  get labels() {
    return this.marks.shown?.labels ?? [];
  }

  /** Take the height of a lane, and of what is above its bar, from the style sheet, which knows how much room there is. */
  #measure() {
    const style = getComputedStyle(this.layer.canvas);
    [this.rowHeight, this.above] = ["--row", "--above"].map((name) => parseFloat(style.getPropertyValue(name)));
  }

  /** Return the label at a height, and whether it is in the bar. */
  at(y) {
    const place = Math.floor(y / this.rowHeight);
    return { label: this.labels[place] ?? null, bar: y - place * this.rowHeight < this.above + BAR + 3 };
  }

  #paint(context, width) {
    const { marks, view } = this;
    this.#measure();
    if (!marks.shown) return;
    grid(context, view, this.layer.height);
    if (!this.comparison) this.#joined(context, marks.shown);
    this.labels.forEach((label, i) => {
      const top = i * this.rowHeight;
      const colour = theme.of(label, this.labels);
      context.fillStyle = theme.colours.sunk;
      context.fillRect(0, top + this.above, width, BAR);
      const curveTop = top + this.above + BAR + 3;
      const curveHeight = this.rowHeight - this.above - BAR - 6;
      if (curveHeight > 6) this.curves.paint(context, label, colour, curveTop, curveHeight, width);
      if (this.comparison) this.#compared(context, label, colour, top + this.above, width);
      else this.#bars(context, marks.shown, label, colour, top + this.above, BAR, width, !marks.preview);
    });
    this.#range(context);
  }

  /** Join the lanes of speech and music by a faint band where both are heard. */
  #joined(context, track) {
    const places = ["speech", "music"].map((label) => this.labels.indexOf(label));
    if (places.includes(-1)) return;
    const top = Math.min(...places) * this.rowHeight + this.above + BAR;
    const bottom = Math.max(...places) * this.rowHeight + this.above;
    context.fillStyle = theme.colours.both;
    const spans = track.overlap("speech", "music", this.view.start, this.view.end);
    for (const run of runs(spans, 0, spans.length, this.view, this.layer.width)) {
      if (run.segment) context.fillRect(run.left, top, Math.max(1, run.right - run.left), bottom - top);
      else shade(context, run, top, bottom - top);
    }
  }

  #bars(context, track, label, colour, top, height, width, solid) {
    const { view, draft } = this;
    const [from, to] = track.within(label, view.start, view.end);
    let lane = track.lane(label).slice(from, to);
    if (draft && track === this.marks.track)
      lane = [...lane.filter((s) => !draft.remove.some((gone) => same(gone, s))), ...draft.add.filter((s) => s.label === label)];
    const wide = [];
    context.fillStyle = colour;
    context.globalAlpha = solid ? 1 : 0.5;
    context.beginPath();
    for (const run of runs(lane, 0, lane.length, view, width)) {
      const room = run.right - run.left;
      if (!run.segment) shade(context, run, top, height);
      else if (room < 5) {
        const left = Math.round(run.left);
        context.fillRect(left, top, Math.max(1, Math.round(run.right) - left), height);
      } else {
        context.roundRect(run.left + 0.5, top, room - 1, height, Math.min(4, room / 3));
        wide.push(run);
      }
    }
    context.fill();
    context.globalAlpha = 1;
    for (const { segment, left, right } of wide) {
      if (!solid) this.#outline(context, left, top, right - left, height, colour, [4, 3]);
      if (this.selection.holds(segment) || draft?.add.includes(segment)) this.#picked(context, left, top, right - left, height);
      if (height > 16) this.#text(context, segment, left, top + height / 2, right, width, solid);
    }
  }

  #outline(context, left, top, wide, height, colour, dash) {
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.setLineDash(dash);
    context.strokeRect(left + 0.75, top + 0.75, Math.max(0, wide - 1.5), height - 1.5);
    context.setLineDash([]);
  }

  #picked(context, left, top, wide, height) {
    context.strokeStyle = theme.colours.text;
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(left - 2, top - 2, wide + 4, height + 4, 5);
    context.stroke();
    context.fillStyle = theme.colours.text;
    for (const x of [left - 4, left + wide]) {
      context.beginPath();
      context.roundRect(x, top + height / 2 - 7, 4, 14, 2);
      context.fill();
    }
  }

  #text(context, segment, left, middle, right, width, solid) {
    const from = Math.max(left, 0) + 8;
    const room = Math.min(right, width) - from - 6;
    if (room < 36) return;
    const long = length(segment.end - segment.start);
    const both = `${segment.label}  ${long}`;
    const fits = (text) => text.length * LETTER <= room;
    const text = fits(both) ? both : long;
    if (!fits(text)) return;
    context.font = `500 11px ${theme.font}`;
    context.textBaseline = "middle";
    context.fillStyle = theme.colours[solid ? "on-lane" : "text"];
    context.fillText(text, from, middle + 0.5);
  }

  /** The reference above, the timeline below, and hatched where they do not agree. */
  #compared(context, label, colour, top, width) {
    const { comparison, view } = this;
    const half = BAR / 2 - 1;
    this.#bars(context, comparison.reference, label, colour, top, half, width, true);
    this.#bars(context, this.marks.shown, label, colour, top + half + 2, half, width, true);
    const lane = comparison.disagreements.lane(label);
    const [from, to] = comparison.disagreements.within(label, view.start, view.end);
    for (const run of runs(lane, from, to, view, width)) {
      const missed = run.segment?.kind === "missed";
      const wide = Math.max(2, run.right - run.left);
      context.fillStyle = this.#hatch(context, missed);
      context.fillRect(run.left, top - 3, wide, BAR + 6);
      context.strokeStyle = theme.colours.alarm;
      context.lineWidth = 1;
      context.strokeRect(run.left + 0.5, top - 2.5, Math.max(1, wide - 1), BAR + 5);
    }
  }

  /** Strokes that fall for what is missed, and rise for what is there in excess. */
  #hatch(context, falling) {
    this.hatches[falling] ??= (() => {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const pen = tile.getContext("2d");
      pen.strokeStyle = theme.colours.alarm;
      pen.lineWidth = 1.8;
      pen.beginPath();
      for (const shift of [-8, 0, 8]) {
        pen.moveTo(shift - 1, falling ? -1 : 9);
        pen.lineTo(shift + 9, falling ? 9 : -1);
      }
      pen.stroke();
      return context.createPattern(tile, "repeat");
    })();
    return this.hatches[falling];
  }

  #range(context) {
    const { range, lane } = this.selection;
    const place = this.labels.indexOf(lane);
    if (!range || place < 0) return;
    const [left, right] = [this.view.x(range.start), this.view.x(range.end)];
    this.#outline(context, left, place * this.rowHeight + this.above, Math.max(2, right - left), BAR, theme.colours.accent, [3, 3]);
  }
}
