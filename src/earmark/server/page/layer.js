/** One canvas, as sharp as the screen, drawn when something it shows has changed. */

import { nextFrame } from "./frames.js";
import { theme } from "./theme.js";

export class Layer {
  #draw = () => this.#paint();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paint
   */
  constructor(canvas, paint) {
    this.canvas = canvas;
    this.paint = paint;
    this.context = canvas.getContext("2d");
    this.width = 0;
    this.height = 0;
    new ResizeObserver(() => {
      this.width = canvas.clientWidth;
      this.height = canvas.clientHeight;
      this.invalidate();
    }).observe(canvas);
    theme.on("change", () => this.invalidate());
  }

  /** Have it drawn in the next frame. */
  invalidate() {
    nextFrame(this.#draw);
  }

  #paint() {
    const { width, height, canvas, context } = this;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint(context, width, height);
  }
}
