/** Dark and light, and the colours the canvases take from the style sheet. */

import { Emitter } from "./emitter.js";

const KNOWN = { speech: 0, music: 1, noise: 2 };
const N_LANES = 9;
const STOPS = {
  dark: [[0, [20, 18, 24]], [0.3, [52, 38, 82]], [0.55, [142, 52, 98]], [0.78, [229, 115, 64]], [1, [255, 240, 190]]],
  light: [[0, [253, 252, 248]], [0.3, [222, 216, 214]], [0.55, [150, 140, 168]], [0.78, [76, 62, 112]], [1, [22, 16, 48]]],
};

/** Emits `change`. */
export class Theme extends Emitter {
  #system = matchMedia("(prefers-color-scheme: dark)");

  constructor() {
    super();
    const kept = localStorage.getItem("theme");
    if (kept) document.documentElement.dataset.theme = kept;
    this.#system.addEventListener("change", () => this.#read());
    this.#read();
  }

  get name() {
    return document.documentElement.dataset.theme ?? (this.#system.matches ? "dark" : "light");
  }

  toggle() {
    const other = this.name === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = other;
    localStorage.setItem("theme", other);
    this.#read();
  }

  #read() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    this.colours = Object.fromEntries(
      ["background", "panel", "sunk", "line", "text", "muted", "wave", "grid", "accent", "cursor", "alarm", "on-lane", "both"].map(
        (name) => [name, value(`--${name}`)],
      ),
    );
    this.lanes = Array.from({ length: N_LANES }, (_, i) => value(`--lane-${i}`));
    this.heat = heat(STOPS[this.name]);
    this.font = getComputedStyle(document.body).fontFamily;
    this.emit("change");
  }

  /**
   * The colour of a label: speech, music and noise have their own, others by their place.
   * @param {string} label
   * @param {string[]} labels all that are shown
   */
  of(label, labels) {
    return this.lanes[this.number(label, labels)];
  }

  /** The number of a label's colour, for class names. */
  number(label, labels) {
    if (label in KNOWN) return KNOWN[label];
    const others = labels.filter((other) => !(other in KNOWN));
    return 3 + (Math.max(0, others.indexOf(label)) % (N_LANES - 3));
  }
}

/** Return the colours of bytes as 32-bit words (little-endian RGBA); from -85 dB to -10 dB there is something to see. */
function heat(stops) {
  const words = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const place = Math.min(1, Math.max(0, (i - 38) / 190)) ** 1.25;
    const next = Math.max(1, stops.findIndex(([at]) => at >= place));
    const [[from, a], [to, b]] = [stops[next - 1], stops[next]];
    const mix = (place - from) / (to - from);
    const [r, g, blue] = a.map((value, k) => Math.round(value + mix * (b[k] - value)));
    words[i] = (255 << 24) | (blue << 16) | (g << 8) | r;
  }
  return words;
}

export const theme = new Theme();
