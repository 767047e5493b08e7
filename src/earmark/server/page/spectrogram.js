/** The log-mel spectrogram: tiles of 256 frames, coloured here. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { Layer } from "./layer.js";
import { Pieces } from "./pieces.js";
import { theme } from "./theme.js";

const FRAMES = 256;
const BANDS = 64;
const HOP_S = 0.01;
const COARSEST = 16;
/** The ends of the scale of the bands, and figures beside it, Hz. */
const [LOWEST, HIGHEST] = [40, 8000];
const FIGURES = { 200: "200 Hz", 1000: "1 kHz", 4000: "4 kHz" };

/** The mel scale: even up to 1 kHz, then by ratios. */
const mel = (hertz) => (hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4));

/** How far down the picture a frequency lies, 0 to 1; the middle of a band is in the middle of its row. */
function depth(hertz) {
  const band = ((mel(hertz) - mel(LOWEST)) / (mel(HIGHEST) - mel(LOWEST))) * (BANDS + 1) - 0.5;
  return 1 - band / BANDS;
}

export class Spectrogram {
  #tiles = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} scale where the figures are put
   * @param {import("./view.js").TimeView} view
   */
  constructor(canvas, scale, view) {
    this.view = view;
    for (const [hertz, text] of Object.entries(FIGURES)) {
      const figure = h("span", { text });
      figure.style.top = `${(100 * depth(Number(hertz))).toFixed(1)}%`;
      scale.append(figure);
    }
    this.layer = new Layer(canvas, (context, width, height) => this.#paint(context, width, height));
    view.on("change", () => this.layer.invalidate());
    theme.on("change", () => this.#tiles?.forget());
  }

  /** Show a recording; null shows none. */
  open(recording) {
    this.#tiles?.forget();
    this.#tiles =
      recording &&
      new Pieces(
        async (key, signal, level, tile) => {
          const { data, complete } = await api.spectrogram(recording, level, tile, signal);
          return { canvas: coloured(data), complete };
        },
        () => this.layer.invalidate(),
        { keep: 320, atOnce: 4 },
      );
    this.layer.invalidate();
  }

  /** Ask for all tiles again. */
  forget() {
    this.#tiles?.forget();
    this.layer.invalidate();
  }

  #paint(context, width, height) {
    if (!this.#tiles) return;
    const { view } = this;
    const wanted = Math.floor(Math.log2(view.secondsPerPixel / HOP_S) + 0.2);
    const level = Math.min(COARSEST, Math.max(0, wanted));
    const span = FRAMES * HOP_S * 2 ** level;
    const end = Math.min(view.end, view.duration);
    for (let i = Math.max(0, Math.floor(view.start / span)); i * span < end; i++) {
      const tile = this.#tiles.get(`${level}/${i}`, level, i);
      if (tile) this.#place(context, height, tile, 0, FRAMES, i * span, span);
      else this.#coarser(context, height, level, i, span);
    }
  }

  /** Until a tile is here, the part of a coarser one that covers it will do. */
  #coarser(context, height, level, i, span) {
    for (let up = 1; up <= 5; up++) {
      const tile = this.#tiles.peek(`${level + up}/${i >> up}`);
      if (!tile) continue;
      const frames = FRAMES / 2 ** up;
      this.#place(context, height, tile, (i % 2 ** up) * frames, frames, i * span, span);
      return;
    }
  }

  #place(context, height, tile, from, frames, start, span) {
    const left = Math.round(this.view.x(start));
    const right = Math.round(this.view.x(start + span));
    context.imageSmoothingEnabled = true;
    context.drawImage(tile.canvas, from, 0, frames, BANDS, left, 0, right - left, height);
  }
}

/** Colour a tile: a row of bytes is a frame, its first byte the lowest band. */
function coloured(buffer) {
  const bytes = new Uint8Array(buffer);
  const frames = Math.min(FRAMES, Math.floor(bytes.length / BANDS));
  const canvas = document.createElement("canvas");
  canvas.width = FRAMES;
  canvas.height = BANDS;
  const context = canvas.getContext("2d");
  const image = context.createImageData(FRAMES, BANDS);
  const words = new Uint32Array(image.data.buffer);
  for (let t = 0; t < frames; t++)
    for (let band = 0; band < BANDS; band++)
      words[(BANDS - 1 - band) * FRAMES + t] = theme.heat[bytes[t * BANDS + band]];
  context.putImageData(image, 0, 0);
  return canvas;
}
