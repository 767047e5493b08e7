/** The waveform on its canvas. */

import { Layer } from "./layer.js";
import { steps } from "./ruler.js";
import { theme } from "./theme.js";
import { PIECE_S } from "./wavedata.js";

/** Draw upright lines at the figures of the ruler. */
export function grid(context, view, height) {
  const [step] = steps(view.secondsPerPixel);
  context.fillStyle = theme.colours.grid;
  for (let i = Math.floor(view.start / step); i * step <= view.end; i++)
    context.fillRect(Math.round(view.x(i * step)), 0, 1, height);
}

/** Fill columns of least and greatest values around the middle. */
export function fillColumns(context, values, height, colour) {
  const middle = height / 2;
  const scale = middle - 2;
  context.fillStyle = colour;
  for (let c = 0; 2 * c < values.length; c++) {
    const low = values[2 * c];
    if (low !== low) continue;
    const top = Math.round(middle - values[2 * c + 1] * scale);
    context.fillRect(c, top, 1, Math.max(1, Math.round(middle - low * scale) - top));
  }
}

export class Waveform {
  /** @type {import("./wavedata.js").WaveData|null} */
  data = null;

  constructor(canvas, view) {
    this.view = view;
    this.layer = new Layer(canvas, (context, width, height) => this.#paint(context, width, height));
    view.on("change", () => this.layer.invalidate());
  }

  #paint(context, width, height) {
    if (!this.data) return;
    grid(context, this.view, height);
    context.fillStyle = theme.colours.line;
    context.fillRect(0, Math.round(height / 2), width, 1);
    const sound = this.data.sound.peek(String(Math.floor(this.view.start / PIECE_S)));
    if (sound && this.view.secondsPerPixel * sound.rate < 1.5) this.#line(context, width, height, sound.rate);
    else fillColumns(context, this.data.columns(this.view.start, this.view.secondsPerPixel, Math.ceil(width)), height, theme.colours.wave);
  }

  /** Draw sample by sample, once these lie apart. */
  #line(context, width, height, rate) {
    const { view, data } = this;
    const dots = view.secondsPerPixel * rate < 0.12;
    context.strokeStyle = context.fillStyle = theme.colours.wave;
    context.lineWidth = 1.25;
    context.beginPath();
    const last = Math.min(Math.ceil(view.end * rate) + 1, Math.floor(data.duration * rate));
    for (let i = Math.max(0, Math.floor(view.start * rate)); i <= last; i++) {
      const piece = Math.floor(i / rate / PIECE_S);
      const value = data.samples(piece)?.mono[i - Math.round(piece * PIECE_S * rate)];
      if (value === undefined) continue;
      const [x, y] = [view.x(i / rate), height / 2 - value * (height / 2 - 2)];
      context.lineTo(x, y);
      if (dots) context.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
    context.stroke();
  }
}
