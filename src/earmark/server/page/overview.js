/** The whole recording in a strip, with the part that is seen. */

import { Layer } from "./layer.js";
import { theme } from "./theme.js";
import { fillColumns } from "./waveform.js";
import { runs, shade } from "./lanes.js";
import { TimeView } from "./view.js";

const STRIP = 3;

export class Overview {
  /** @type {import("./wavedata.js").WaveData|null} */
  data = null;

  /**
   * @param {HTMLElement} box holds a canvas and the frame `.window`
   * @param {TimeView} view what the frame shows
   * @param {import("./marks.js").Marks} marks
   */
  constructor(box, view, marks) {
    Object.assign(this, { box, view, marks, whole: new TimeView() });
    this.window = box.querySelector(".window");
    this.cursor = box.querySelector(".cursor");
    this.layer = new Layer(box.querySelector("canvas"), (context, width, height) => this.#paint(context, width, height));
    marks.on("change", () => this.layer.invalidate());
    view.on("change", () => this.#frame());
    new ResizeObserver(() => this.#frame()).observe(box);
    this.#listen();
  }

  /** Show where playback is. */
  at(time) {
    this.cursor.style.transform = `translateX(${(time / this.view.duration) * this.box.clientWidth}px)`;
  }

  #frame() {
    const wide = this.box.clientWidth;
    const { view } = this;
    this.whole.width = wide;
    this.whole.duration = this.whole.span = view.duration;
    this.window.style.transform = `translateX(${(view.start / view.duration) * wide}px)`;
    this.window.classList.toggle("whole", view.span >= view.duration);
    const width = `${Math.max(6, (view.span / view.duration) * wide).toFixed(2)}px`;
    if (this.window.style.width !== width) this.window.style.width = width;
  }

  #paint(context, width, height) {
    const { whole } = this;
    whole.width = width;
    whole.duration = whole.span = this.view.duration;
    const labels = this.marks.shown?.labels ?? [];
    const strips = Math.min(labels.length, 6) * STRIP;
    if (this.data)
      fillColumns(context, this.data.columns(0, whole.secondsPerPixel, Math.ceil(width)), height - strips, theme.colours.wave);
    labels.slice(0, 6).forEach((label, i) => {
      const lane = this.marks.shown.lane(label);
      context.fillStyle = theme.of(label, labels);
      for (const run of runs(lane, 0, lane.length, whole, width)) shade(context, run, height - strips + i * STRIP, STRIP - 0.5);
    });
  }

  #listen() {
    let hold = null;
    const time = (event) => {
      const box = this.box.getBoundingClientRect();
      return ((event.clientX - box.left) / box.width) * this.view.duration;
    };
    this.box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const { view } = this;
      const at = time(event);
      const inside = at >= view.start && at <= view.end && view.span < 0.98 * view.duration;
      hold = inside ? at - view.start : view.span / 2;
      this.box.setPointerCapture(event.pointerId);
      view.show(at - hold, view.span);
      event.preventDefault();
    });
    this.box.addEventListener("pointermove", (event) => {
      if (hold !== null) this.view.show(time(event) - hold, this.view.span);
    });
    for (const type of ["pointerup", "pointercancel"]) this.box.addEventListener(type, () => (hold = null));
  }
}
