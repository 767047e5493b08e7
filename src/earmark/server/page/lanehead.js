/** What stands beside each lane: its label, its share, its minutes. */

import { fill, h } from "./dom.js";
import { clock, percent } from "./format.js";
import { theme } from "./theme.js";

export class LaneHeads {
  /**
   * @param {HTMLElement} box
   * @param {import("./marks.js").Marks} marks
   * @param {import("./selection.js").Selection} selection
   * @param {import("./lanes.js").Lanes} lanes
   */
  constructor(box, marks, selection, lanes) {
    Object.assign(this, { box, marks, selection, lanes });
    marks.on("change", () => this.update());
    selection.on("change", () => this.#mark());
  }

  update() {
    const labels = this.marks.shown?.labels ?? [];
    this.lanes.layer.canvas.style.setProperty("--lanes", labels.length || 3);
    if (this.box.dataset.labels !== JSON.stringify(labels)) {
      this.box.dataset.labels = JSON.stringify(labels);
      fill(this.box, ...labels.map((label) => this.#head(label, labels)));
    }
    const track = this.marks.shown;
    labels.forEach((label, i) => {
      const seconds = track.seconds(label);
      const told = seconds ? `${percent(seconds / track.duration)} · ${clock(seconds)}` : "none";
      this.box.children[i].querySelector(".share").textContent = told;
    });
    this.#mark();
  }

  #head(label, labels) {
    return h(
      "button.head",
      { type: "button", title: `Lane of ${label}`, on: { click: () => this.#choose(label) } },
      h(`i.swatch.lane-${theme.number(label, labels)}`),
      h("b", { text: label }),
      h("span.share"),
    );
  }

  #choose(label) {
    this.selection.lane = label;
    if (!this.selection.range) this.selection.segment = null;
    this.selection.emit("change");
  }

  #mark() {
    const labels = this.marks.shown?.labels ?? [];
    [...this.box.children].forEach((head, i) => head.setAttribute("aria-pressed", labels[i] === this.selection.lane));
  }
}
