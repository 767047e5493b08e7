/** Posteriors of a model over time, piece by piece, and their curves. */

import * as api from "./api.js";
import { Pieces } from "./pieces.js";
import { theme } from "./theme.js";

const BINS = 512;
const FINEST = 2;

export class Curves {
  #pieces = null;
  /** Thresholds drawn over the curves, by label. */
  thresholds = {};

  constructor(view, changed) {
    this.view = view;
    this.changed = changed;
  }

  /** Show a model's posteriors of a recording; without a model none. */
  open(recording, model, duration) {
    this.#pieces?.forget();
    this.duration = duration;
    this.#pieces =
      recording && model
        ? new Pieces(async (key, signal, level, i) => {
            const span = 2 ** level;
            const [start, end] = [i * span, Math.min((i + 1) * span, duration)];
            // A piece that ends early has bins of the same length.
            const wanted = Math.ceil((BINS * (end - start)) / span);
            const answer = await api.posteriors(recording, start, end, wanted, model, signal);
            const values = new Uint8Array(answer.data);
            const bins = answer.bins ?? values.length / Math.max(1, answer.labels.length);
            const from = answer.start ?? start;
            return { start: from, bin: ((answer.end ?? end) - from) / Math.max(1, bins), bins, values, labels: answer.labels };
          }, this.changed, { keep: 120 })
        : null;
    this.changed();
  }

  /** Draw the curve of a label into a box of the canvas. */
  paint(context, label, colour, top, height, width) {
    const threshold = this.thresholds[label];
    if (this.#pieces) this.#area(context, label, colour, top, height);
    if (threshold !== undefined) {
      const y = Math.round(top + (1 - threshold) * height) + 0.5;
      context.strokeStyle = theme.colours.text;
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
      context.setLineDash([]);
    }
  }

  #area(context, label, colour, top, height) {
    const { view } = this;
    const level = Math.max(FINEST, Math.ceil(Math.log2(view.secondsPerPixel * BINS) - 1e-9));
    const span = 2 ** level;
    const end = Math.min(view.end, this.duration);
    const line = new Path2D();
    const area = new Path2D();
    for (let i = Math.max(0, Math.floor(view.start / span)); i * span < end; i++) {
      const piece = this.#pieces.get(`${level}/${i}`, level, i) ?? this.#coarser(level, i);
      const column = piece ? piece.labels.indexOf(label) : -1;
      if (column < 0) continue;
      const from = Math.max(i * span, view.start);
      const to = Math.min((i + 1) * span, view.end);
      this.#trace(line, area, piece, column, from, to, top, height);
    }
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = 0.22;
    context.fill(area);
    context.globalAlpha = 0.9;
    context.lineWidth = 1.25;
    context.stroke(line);
    context.globalAlpha = 1;
  }

  #trace(line, area, piece, column, from, to, top, height) {
    const { view } = this;
    const n = piece.labels.length;
    const first = Math.max(0, Math.floor((from - piece.start) / piece.bin) - 1);
    const last = Math.min(piece.bins - 1, Math.ceil((to - piece.start) / piece.bin) + 1);
    if (last < first) return;
    const y = (b) => top + (1 - piece.values[b * n + column] / 255) * height;
    const left = view.x(piece.start + first * piece.bin);
    const right = view.x(piece.start + (last + 1) * piece.bin);
    area.moveTo(left, top + height);
    line.moveTo(left, y(first));
    area.lineTo(left, y(first));
    for (let b = first; b <= last; b++) {
      const x = view.x(piece.start + (b + 0.5) * piece.bin);
      line.lineTo(x, y(b));
      area.lineTo(x, y(b));
    }
    line.lineTo(right, y(last));
    area.lineTo(right, y(last));
    area.lineTo(right, top + height);
    area.closePath();
  }

  #coarser(level, i) {
    for (let up = 1; up <= 6; up++) {
      const piece = this.#pieces.peek(`${level + up}/${i >> up}`);
      if (piece) return piece;
    }
    return null;
  }
}
