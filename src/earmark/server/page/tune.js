/** Thresholds and smoothing: sliders that decode the stored posteriors again at once. */

import * as api from "./api.js";
import { asked } from "./dialogs.js";
import { button, debounce, fill, h } from "./dom.js";
import { Emitter } from "./emitter.js";
import { fresh } from "./format.js";
import { trackOf } from "./marks.js";
import { complain, say } from "./notices.js";
import { theme } from "./theme.js";

const NAMES = { threshold: "Threshold", release: "Release", min_duration: "Shortest segment", min_gap: "Shortest gap", smooth: "Smoothing" };
const HINTS = {
  threshold: "A segment starts where the curve reaches this.",
  release: "It goes on until the curve falls below this.",
  min_duration: "Shorter segments are dropped.",
  min_gap: "Shorter gaps are filled.",
  smooth: "Length of the moving average over the curve.",
};

/** Names of timelines with a meaning of their own. */
const KEPT = ["detected", "edited", "reference"];

/** Return a slider's worth of facts for each option of each label. */
function settable({ labels, options, ranges }) {
  return labels.flatMap((label) =>
    Object.entries(options[label] ?? {})
      .filter(([name]) => name in ranges)
      .map(([name, value]) => ({ label, name, default: value ?? 0.8 * options[label].threshold, ...ranges[name] })),
  );
}

/** Emits `saved` with the name of a kept timeline. */
export class Tune extends Emitter {
  #options = [];
  #values = new Map();
  #opened = 0;
  #turn = 0;
  #decode = debounce(120, () => this.#preview());

  /**
   * @param {HTMLElement} box
   * @param {import("./marks.js").Marks} marks
   * @param {import("./curves.js").Curves} curves
   */
  constructor(box, marks, curves) {
    super();
    Object.assign(this, { box, marks, curves, recording: null, model: null });
  }

  /** Take the sliders from what a model's decoding can be told. */
  async open(recording, model) {
    this.discard();
    Object.assign(this, { recording, model });
    this.#options = [];
    const turn = ++this.#opened;
    try {
      const answer = recording && model ? await api.decodeOptions(recording, model) : { labels: [] };
      if (turn !== this.#opened) return;
      this.#options = settable(answer);
    } catch (error) {
      if (turn !== this.#opened) return;
      if (error.status !== 404 && error.status !== 409) complain(error);
    }
    this.#values.clear();
    this.#show();
    this.#thresholds();
  }

  /** Go back to what is saved. */
  discard() {
    this.#turn += 1;
    this.#decode.cancel();
    this.#values.clear();
    if (this.marks.preview) this.marks.setPreview(null);
    this.#show();
    this.#thresholds();
  }

  #key = (option) => `${option.label}/${option.name}`;

  #value(option) {
    return this.#values.get(this.#key(option)) ?? option.default;
  }

  #changed() {
    const options = {};
    for (const option of this.#options)
      if (this.#values.has(this.#key(option))) (options[option.label] ??= {})[option.name] = this.#value(option);
    return options;
  }

  #thresholds() {
    this.curves.thresholds = Object.fromEntries(
      this.#options.filter((o) => o.name === "threshold").map((o) => [o.label, this.#value(o)]),
    );
    this.curves.changed();
  }

  async #preview() {
    const turn = ++this.#turn;
    try {
      const answer = await api.decode(this.recording, this.model, this.#changed(), null);
      if (turn !== this.#turn) return;
      this.marks.setPreview(trackOf(answer));
      const n = this.marks.preview.all.length;
      this.told.textContent = `Preview: ${n.toLocaleString("en")} segments, not saved.`;
    } catch (error) {
      if (turn === this.#turn) this.told.textContent = error.message;
    }
  }

  async keep() {
    const taken = (await api.timelines(this.recording).catch(() => [])).map((timeline) => timeline.name);
    const check = (text) => {
      const name = text.trim();
      if (!/^[A-Za-z0-9][\w.+-]{0,63}$/.test(name)) return "A name has letters, digits, dots and dashes, 64 at most.";
      return taken.includes(name) || KEPT.includes(name) ? `There is “${name}” already, or it is kept for your changes; give another name.` : null;
    };
    const name = await asked("Keep this decoding", { label: "Name of the new timeline", value: fresh("tuned", taken), action: "Keep", check });
    if (!name) return;
    try {
      await api.decode(this.recording, this.model, this.#changed(), name.trim());
      this.discard();
      say(`Kept as ${name.trim()}.`);
      this.emit("saved", name.trim());
    } catch (error) {
      complain(error);
    }
  }

  #show() {
    if (!this.#options.length) {
      fill(this.box, h("p.empty", { text: "Nothing to tune: the model of this recording is not decoded by thresholds, or it is still at work." }));
      return;
    }
    const labels = [...new Set(this.#options.map((option) => option.label))];
    this.told = h("p", { role: "status", text: "Move a slider: the lanes follow at once. Nothing is saved until you keep it." });
    this.actions = h(
      "div.actions",
      {},
      button("again", "Back to the model's own", () => this.discard(), { text: "Reset" }),
      button(null, "Keep as a timeline", () => this.keep(), { text: "Keep…", class: "primary" }),
    );
    const groups = labels.map((label, i) =>
      h(
        "details.group",
        { open: i === 0 },
        h("summary", {}, h(`i.swatch.lane-${theme.number(label, labels)}`), h("b", { text: label })),
        ...this.#options.filter((option) => option.label === label).map((option) => this.#slider(option)),
      ),
    );
    fill(this.box, h("div.told", {}, this.told, this.actions), ...groups);
  }

  #slider(option) {
    const id = `tune-${this.#key(option)}`.replace(/[^\w-]/g, "_");
    const shown = (value) => `${Number(value).toFixed(option.step < 0.1 ? 2 : option.step < 1 ? 1 : 0)}${option.unit ? ` ${option.unit}` : ""}`;
    const output = h("output", { for: id, text: shown(this.#value(option)) });
    const slide = () => {
      this.#values.set(this.#key(option), Number(input.value));
      output.textContent = shown(input.value);
      this.#thresholds();
      this.#decode();
    };
    const input = h("input", {
      id,
      type: "range",
      min: option.min,
      max: option.max,
      step: option.step,
      value: this.#value(option),
      on: { input: slide },
    });
    input.value = this.#value(option);
    return h("div.slider", { title: HINTS[option.name] ?? "" }, h("label", { for: id, text: NAMES[option.name] ?? option.name }), output, input);
  }
}
