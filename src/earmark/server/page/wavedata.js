/** Peaks of the waveform, and its samples, piece by piece. */

import * as api from "./api.js";
import { Pieces } from "./pieces.js";
import { readWav } from "./wav.js";

const BINS = 1024;
const FINEST = 2;

/** Seconds of one piece of sound. */
export const PIECE_S = 5;

export class WaveData {
  /**
   * @param {string} recording
   * @param {number} duration
   * @param {() => void} arrived
   */
  constructor(recording, duration, arrived) {
    this.duration = duration;
    this.peaks = new Pieces(async (key, signal, level, i) => {
      const span = 2 ** level;
      const [from, to] = [i * span, Math.min((i + 1) * span, duration)];
      // A piece that ends early has bins of the same length.
      const answer = await api.peaks(recording, from, to, Math.ceil((BINS * (to - from)) / span), signal);
      const pairs = new Int8Array(answer.data);
      const bins = answer.bins ?? pairs.length / 2;
      const [start, end] = [answer.start ?? from, answer.end ?? to];
      return { start, end, bins, bin: (end - start) / Math.max(1, bins), pairs, complete: answer.complete };
    }, arrived, { keep: 160 });
    this.sound = new Pieces(
      async (key, signal, i) => readWav(await api.audio(recording, i * PIECE_S, PIECE_S, signal)),
      arrived,
      { keep: 24, atOnce: 2 },
    );
  }

  /** Return a second's worth of sound around a time, samples and all, or undefined until it is here. */
  samples(i) {
    return this.sound.get(String(i), i);
  }

  /** Whether a view needs samples, since peaks are too coarse for it. */
  static fine(secondsPerPixel) {
    return secondsPerPixel < 2 ** FINEST / BINS;
  }

  /** Return the greatest and least values of columns as [min, max, min, max...], NaN where nothing is known. */
  columns(start, secondsPerPixel, n) {
    const values = new Float32Array(2 * n).fill(NaN);
    if (WaveData.fine(secondsPerPixel)) this.#fromSound(values, start, secondsPerPixel, n);
    else this.#fromPeaks(values, start, secondsPerPixel, n);
    return values;
  }

  #fromPeaks(values, start, secondsPerPixel, n) {
    const level = Math.max(FINEST, Math.floor(Math.log2(secondsPerPixel * BINS) + 1e-9));
    const end = Math.min(start + n * secondsPerPixel, this.duration);
    const span = 2 ** level;
    for (let i = Math.max(0, Math.floor(start / span)); i * span < end; i++) {
      const piece = this.peaks.get(`${level}/${i}`, level, i) ?? this.#coarser(level, i);
      if (piece) reduce(values, n, start, secondsPerPixel, piece.start, piece.bin, piece.bins, piece.pairs, 2, 1 / 127);
    }
  }

  /** Until a piece is here, a coarser one that covers it will do. */
  #coarser(level, i) {
    for (let up = 1; up <= 6; up++) {
      const piece = this.peaks.peek(`${level + up}/${i >> up}`);
      if (piece) return piece;
    }
    return null;
  }

  #fromSound(values, start, secondsPerPixel, n) {
    const end = Math.min(start + n * secondsPerPixel, this.duration);
    for (let i = Math.max(0, Math.floor(start / PIECE_S)); i * PIECE_S < end; i++) {
      const sound = this.samples(i);
      if (sound) reduce(values, n, start, secondsPerPixel, i * PIECE_S, 1 / sound.rate, sound.mono.length, sound.mono, 1, 1);
    }
  }
}

/** Take least and greatest of what falls into each column; `step` 2 is for pairs of them, 1 for samples. */
function reduce(values, n, start, column, from, bin, bins, data, step, scale) {
  const first = Math.max(0, Math.floor((start - from) / bin));
  const last = Math.min(bins - 1, Math.ceil((start + n * column - from) / bin));
  for (let b = first; b <= last; b++) {
    const low = data[step * b] * scale;
    const high = data[step * b + step - 1] * scale;
    const left = Math.max(0, Math.floor((from + b * bin - start) / column + 1e-6));
    const right = Math.min(n - 1, Math.max(left, Math.ceil((from + (b + 1) * bin - start) / column - 1e-6) - 1));
    for (let c = left; c <= right; c++) {
      if (!(values[2 * c] <= low)) values[2 * c] = low;
      if (!(values[2 * c + 1] >= high)) values[2 * c + 1] = high;
    }
  }
}
