/** How much of the recording is speech, music, both and neither: in its heading, as the timeline that is shown has it. */

import { fill, h } from "./dom.js";
import { percent } from "./format.js";
import { theme } from "./theme.js";

const [ONE, OTHER] = ["speech", "music"];

export class Shares {
  /**
   * @param {HTMLElement} box
   * @param {import("./marks.js").Marks} marks
   */
  constructor(box, marks) {
    Object.assign(this, { box, marks });
    marks.on("change", () => this.#show());
  }

  #show() {
    const track = this.marks.shown;
    const known = track?.duration && track.labels.includes(ONE) && track.labels.includes(OTHER);
    this.box.hidden = !known;
    if (!known) return;
    const both = track.overlap(ONE, OTHER, 0, Infinity).reduce((sum, span) => sum + span.end - span.start, 0);
    const [one, other] = [track.seconds(ONE), track.seconds(OTHER)];
    const told = { [ONE]: one, [OTHER]: other, both, neither: Math.max(0, track.duration - one - other + both) };
    fill(this.box, ...Object.entries(told).map(([name, seconds]) => this.#share(name, seconds / track.duration, track.labels)));
  }

  #share(name, share, labels) {
    const swatch = name === "both" ? "i.swatch.both" : name === "neither" ? "i.swatch.neither" : `i.swatch.lane-${theme.number(name, labels)}`;
    return h("span", {}, h(swatch), `${name} ${percent(share)}`);
  }
}
