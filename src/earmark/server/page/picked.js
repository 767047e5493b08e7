/** The segment that is picked, or the span: its fields and what can be done with it. */

import { asked } from "./dialogs.js";
import { button, byFinger, fill, h } from "./dom.js";
import { clock, length, parseTime, percent } from "./format.js";
import { say } from "./notices.js";

const OTHER = "\n";
const NONE = "Click a segment to pick it. Drag over an empty lane to add one.";
const NONE_BY_FINGER = "Tap a segment to pick it. To add one: tap its lane where it starts, press In; tap where it ends, press Out; then Add.";

/** Ask for a label that is not there yet; returns it or null. */
export async function newLabel() {
  const check = (text) => (text.trim() && !/[\r\n\t]/.test(text) ? null : "A label is a word or two.");
  return (await asked("A new label", { label: "Label", action: "Use it", check }))?.trim() ?? null;
}

export class Picked {
  /**
   * @param {HTMLElement} box
   * @param {object} parts marks, selection, editor, player, view
   */
  constructor(box, parts) {
    Object.assign(this, parts, { box });
    this.selection.on("change", () => this.show());
    this.marks.on("change", () => this.show());
  }

  show() {
    const { segment, range } = this.selection;
    const key = JSON.stringify([segment, range, this.marks.shown?.labels, Boolean(this.marks.preview)]);
    if (key === this.key) return;
    this.key = key;
    const inside = this.box.contains(document.activeElement) ? document.activeElement.id : null;
    if (segment) this.#segment(segment);
    else if (range) this.#range(range);
    else fill(this.box, h("p.empty", { text: byFinger() ? NONE_BY_FINGER : NONE }));
    if (inside) this.box.querySelector(`#${inside}`)?.focus();
  }

  #labels(value, id, chosen) {
    const labels = this.marks.shown.labels;
    const select = h(
      "select",
      { id, "aria-label": "Label" },
      ...labels.map((label) => h("option", { value: label, text: label })),
      h("option", { value: OTHER, text: "New label…" }),
    );
    select.value = value ?? labels[0];
    select.addEventListener("change", async () => {
      const label = select.value === OTHER ? await newLabel() : select.value;
      if (label) chosen(label);
      else select.value = value ?? labels[0];
    });
    return select;
  }

  #time(id, label, value, set) {
    const input = h("input.time", { id, value: clock(value, 3), "aria-label": label, spellcheck: "false", autocomplete: "off", inputmode: "decimal" });
    let before = input.value;
    const take = () => {
      if (input.value === before) return;
      const time = parseTime(input.value);
      if (time === null) {
        say("A time looks like 83.5, 1:23.5 or 1:02:03.");
        input.value = before;
      } else {
        before = input.value;
        set(time);
      }
    };
    input.addEventListener("change", take);
    input.addEventListener("keydown", (event) => event.key === "Enter" && take());
    return input;
  }

  #segment(segment) {
    const { editor, player, view } = this;
    const { confidence } = segment;
    const sure = confidence === null || confidence === undefined ? null : percent(confidence);
    const facts = [length(segment.end - segment.start), sure].filter(Boolean).join(" · ");
    const title = sure ? "How long it is, and the mean of its curve" : "How long it is";
    fill(
      this.box,
      h(
        "div.line",
        {},
        this.#labels(segment.label, "picked-label", (label) => editor.relabel(segment, label)),
        this.#time("picked-start", "Start", segment.start, (time) => editor.setBounds(segment, time, segment.end)),
        h("span", { text: "–", "aria-hidden": "true" }),
        this.#time("picked-end", "End", segment.end, (time) => editor.setBounds(segment, segment.start, time)),
      ),
      h(
        "div.line",
        {},
        button("play", "Play this segment", () => player.play(segment.start, segment.end), { key: "Enter" }),
        button("zoomTo", "Zoom to it", () => view.frame(segment.start, segment.end), { key: "Z" }),
        button("split", "Split at the cursor", () => editor.split(segment, player.position), { key: "S" }),
        button("merge", "Merge with the next", () => editor.merge(segment), { key: "M" }),
        button("trash", "Delete", () => editor.remove(segment), { key: "Del" }),
        h("span.facts", { text: facts, title }),
      ),
    );
  }

  #range(range) {
    const { editor, player, view, selection } = this;
    const told = selection.waits ? "go to its other end, then In or Out" : length(range.end - range.start);
    const select = this.marks.shown && this.#labels(selection.lane, "picked-label", (label) => (selection.lane = label));
    fill(
      this.box,
      h("div.line", {}, h("b.span", { text: selection.waits ? clock(range.start, 2) : `${clock(range.start, 2)} – ${clock(range.end, 2)}` }), h("span.facts", { text: told })),
      h(
        "div.line",
        {},
        button("play", "Play the selection", () => player.play(range.start, range.end), { key: "Enter" }),
        button("zoomTo", "Zoom to it", () => view.frame(range.start, range.end), { key: "Z" }),
        button("close", "Clear the selection", () => selection.clear(), { key: "Esc" }),
        select,
        select && button(null, "Add a segment here", () => editor.draw(selection.lane ?? select.value, range.start, range.end), { text: "Add", key: "D" }),
      ),
    );
  }
}
