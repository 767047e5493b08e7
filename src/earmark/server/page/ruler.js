/** Times above the canvases. */

import { clock } from "./format.js";
import { Layer } from "./layer.js";
import { theme } from "./theme.js";

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600];
const APART = 92;

/** Return the step of a ruler's figures, and the lines between two of them. */
export function steps(secondsPerPixel) {
  const step = STEPS.find((s) => s / secondsPerPixel >= APART) ?? STEPS.at(-1);
  const small = step >= 60 ? step / (step % 240 === 0 ? 4 : 5) : step / 5;
  return [step, small];
}

export class Ruler {
  constructor(canvas, view) {
    this.layer = new Layer(canvas, (context, width, height) => this.#paint(context, width, height));
    this.view = view;
    view.on("change", () => this.layer.invalidate());
  }

  #paint(context, width, height) {
    const { view } = this;
    const [step, small] = steps(view.secondsPerPixel);
    const decimals = step < 1 ? Math.ceil(-Math.log10(step) - 1e-9) : 0;
    context.fillStyle = theme.colours.grid;
    for (let i = Math.floor(view.start / small); i * small <= view.end; i++)
      context.fillRect(Math.round(view.x(i * small)), height - 4, 1, 4);
    context.font = `11px ${theme.font}`;
    context.textBaseline = "middle";
    for (let i = Math.floor(view.start / step); i * step <= view.end; i++) {
      const x = Math.round(view.x(i * step));
      context.fillStyle = theme.colours.line;
      context.fillRect(x, 4, 1, height - 4);
      context.fillStyle = theme.colours.muted;
      context.fillText(clock(i * step, decimals), x + 5, height / 2 - 1);
    }
  }
}
