/** Two timelines against each other: scores, and where they do not agree. */

import * as api from "./api.js";
import { pickFiles } from "./dialogs.js";
import { button, debounce, fill, h } from "./dom.js";
import { Emitter } from "./emitter.js";
import { clock, count, length } from "./format.js";
import { trackOf } from "./marks.js";
import { complain, say } from "./notices.js";
import { Track } from "./track.js";

/** @typedef {{name: string, reference: Track, disagreements: Track}} Comparison */

const figure = (counts, name) => (counts.undefined?.includes(name) ? "–" : (100 * counts[name]).toFixed(1));

/** Emits `change` when another comparison is shown or none, `show` with the timeline to be shown. */
export class Compare extends Emitter {
  /** @type {Comparison|null} */
  comparison = null;
  reference = null;
  #names = [];
  #scores = null;
  #turn = 0;

  /**
   * @param {HTMLElement} box
   * @param {import("./marks.js").Marks} marks
   */
  constructor(box, marks) {
    super();
    Object.assign(this, { box, marks, recording: null, formats: [] });
    const again = debounce(400, () => this.reference && this.#load().catch(complain));
    marks.on("state", () => !marks.unsaved && this.reference && again());
  }

  /** Show which timelines there are. */
  open(recording, names) {
    if (recording !== this.recording) this.stop();
    this.recording = recording;
    this.#names = names;
    if (this.reference && !names.includes(this.reference)) this.stop();
    this.#show();
  }

  /** Compare what is shown with a timeline; null ends it. */
  async against(name) {
    this.reference = name || null;
    if (!this.reference) {
      this.stop();
      return;
    }
    try {
      await this.#load();
    } catch (error) {
      this.stop();
      complain(error);
    }
  }

  stop() {
    this.#turn += 1;
    this.reference = null;
    this.comparison = null;
    this.#scores = null;
    this.#show();
    this.emit("change");
  }

  async #load() {
    const turn = ++this.#turn;
    const { recording, reference, marks } = this;
    const [timeline, scores] = await Promise.all([
      api.timeline(recording, reference),
      api.score(recording, reference, marks.name),
    ]);
    if (turn !== this.#turn) return;
    const track = trackOf(timeline);
    this.#scores = scores;
    this.comparison = {
      name: reference,
      reference: track,
      disagreements: new Track(scores.disagreements, track.labels, track.duration),
    };
    this.#show();
    this.emit("change");
  }

  /** Return the next or previous disagreement, seen from a time. */
  step(direction, time) {
    const all = this.comparison?.disagreements.all ?? [];
    return direction > 0 ? all.find((s) => s.start > time + 1e-6) : all.findLast((s) => s.start < time - 1e-6);
  }

  /** Let a file be chosen and take it as the reference. */
  async upload() {
    const [file] = await pickFiles(false);
    if (!file) return;
    try {
      const before = (await api.timelines(this.recording)).find((timeline) => timeline.name === "reference");
      await api.putTimeline(this.recording, "reference", await file.arrayBuffer(), this.#format(file.name), before?.version);
      if (!before) this.#names = [...this.#names, "reference"];
      say(`${file.name} is the reference now.`);
      await this.against("reference");
    } catch (error) {
      complain(error);
    }
  }

  /** The format that a file's suffix stands for; the server tells what is wrong with others. */
  #format(name) {
    const suffix = name.toLowerCase().match(/\.[^.]*$/)?.[0] ?? "";
    return this.formats.find((format) => format.suffix.toLowerCase() === suffix)?.name ?? (suffix === ".lab" ? "mirex" : suffix.slice(1));
  }

  #show() {
    const choice = h(
      "select",
      { id: "reference", on: { change: () => this.against(choice.value) } },
      h("option", { value: "", text: "nothing" }),
      ...this.#names.filter((name) => name !== this.marks.name).map((name) => h("option", { value: name, text: name })),
    );
    choice.value = this.reference ?? "";
    const swap = button("swap", "Swap the two timelines", () => this.#swap());
    swap.disabled = !this.reference;
    fill(
      this.box,
      h("div.field", {}, h("label", { for: "reference", text: `Compare “${this.marks.name ?? "–"}” with` }), h("div.line", {}, choice, swap)),
      button("upload", "Take a file as the reference", () => this.upload(), { text: "Reference from a file…" }),
      ...(this.#scores ? this.#results() : [h("p.empty", { text: "Choose another timeline, or a file of your own in any format earmark reads. Where the two do not agree, the lanes are hatched." })]),
    );
  }

  async #swap() {
    const [shown, reference] = [this.marks.name, this.reference];
    this.stop();
    this.emit("show", reference);
    await this.marks.open(this.recording, reference).catch(complain);
    await this.against(shown);
  }

  #results() {
    const { labels, overall } = this.#scores.pooled;
    const all = this.comparison.disagreements.all;
    const seconds = all.reduce((sum, s) => sum + s.end - s.start, 0);
    const rows = Object.entries({ ...labels, ...(overall && { all: overall }) }).map(([label, found]) => {
      const collar = Object.values(found.collars ?? {})[0];
      const cells = ["f1", "precision", "recall"].map((name) => h("td", { text: figure(found.segments, name) }));
      return h("tr", {}, h("th", { scope: "row", text: label }), ...cells, h("td", { text: collar ? figure(collar.boundaries, "f1") : "–" }));
    });
    const heads = [["", ""], ["F", "Harmonic mean of precision and recall, by time"], ["Prec.", "Share of what is marked that is right"], ["Recall", "Share of the reference that is marked"], ["Edges", "F of starts and ends, within 0.5 s"]];
    return [
      h(
        "table.scores",
        {},
        h("caption", { text: `“${this.marks.name}” against “${this.comparison.name}”, in per cent` }),
        h("thead", {}, h("tr", {}, ...heads.map(([text, title]) => h("th", { scope: "col", text, title })))),
        h("tbody", {}, ...rows),
      ),
      h("p.told", { text: all.length ? `${count(all.length, "disagreement")}, ${length(seconds)} in all.` : "The two agree everywhere." }),
      h(
        "div.actions",
        {},
        button("previous", "Previous disagreement", () => this.emit("jump", -1), { key: "Shift+X" }),
        button("next", "Next disagreement", () => this.emit("jump", 1), { text: "Next disagreement", key: "X" }),
      ),
      h("p.told", { text: `In each lane “${this.comparison.name}” is above, “${this.marks.name}” below.` }),
      h("ul.legend", {}, h("li", {}, h("i.hatch.missed"), `Missed: only in “${this.comparison.name}”`), h("li", {}, h("i.hatch.false"), `Extra: only in “${this.marks.name}”`)),
    ];
  }

  /** Tell a disagreement in words. */
  static told(found) {
    return `${found.kind === "missed" ? "Missed" : "Extra"} ${found.label}, ${clock(found.start, 2)} to ${clock(found.end, 2)}.`;
  }
}
