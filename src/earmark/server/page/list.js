/** The segments as a list: only those in sight are elements, however many there are. */

import { fill, h } from "./dom.js";
import { clock, count, length, parseTime } from "./format.js";
import { nextFrame } from "./frames.js";
import { theme } from "./theme.js";

const ROW = 32;
const SPARE = 6;

export class SegmentList {
  #rows = [];
  #draw = () => this.#paint();

  /**
   * @param {{box: HTMLElement, search: HTMLInputElement, summary: HTMLElement}} elements
   * @param {import("./marks.js").Marks} marks
   * @param {import("./selection.js").Selection} selection
   * @param {(segment: import("./track.js").Segment) => void} open what happens when a segment is chosen
   */
  constructor({ box, search, summary }, marks, selection, open) {
    Object.assign(this, { box, search, summary, marks, selection, open });
    this.space = h("div.space", { role: "presentation" });
    box.append(this.space);
    marks.on("change", () => this.#filter());
    selection.on("change", () => this.#picked());
    search.addEventListener("input", () => this.#filter());
    search.addEventListener("keydown", (event) => this.#searchKey(event));
    box.addEventListener("scroll", () => nextFrame(this.#draw), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.open(this.#rows[Number(row.dataset.place)]);
    });
    new ResizeObserver(() => nextFrame(this.#draw)).observe(box);
  }

  /** Return the next or previous segment of those listed, seen from one, or from a time. */
  step(direction, time) {
    const { segment } = this.selection;
    const place = segment ? this.#rows.findIndex((s) => this.selection.holds(s)) : -1;
    if (place >= 0) return this.#rows[place + direction] ?? null;
    const after = this.#rows.findIndex((s) => (direction > 0 ? s.start > time : s.start >= time));
    if (direction > 0) return after < 0 ? null : this.#rows[after];
    return this.#rows[(after < 0 ? this.#rows.length : after) - 1] ?? null;
  }

  /** A time and words: the time goes to a place of the list, the words choose labels. */
  #wanted() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const time = words.map(parseTime).find((found) => found !== null) ?? null;
    return { time, words: words.filter((word) => parseTime(word) === null) };
  }

  #filter() {
    const track = this.marks.shown;
    const { time, words } = this.#wanted();
    const all = track?.all ?? [];
    this.#rows = words.length ? all.filter((s) => words.every((word) => s.label.toLowerCase().includes(word))) : all;
    this.summary.textContent = this.#rows.length === all.length
      ? count(all.length, "segment")
      : `${count(this.#rows.length, "segment")} of ${all.length.toLocaleString("en")}`;
    this.space.style.height = `${this.#rows.length * ROW}px`;
    if (time !== null && this.#rows.length) {
      const place = this.#rows.findIndex((s) => s.end > time);
      this.box.scrollTop = (place < 0 ? this.#rows.length : place) * ROW;
    }
    nextFrame(this.#draw);
  }

  #picked() {
    const place = this.#rows.findIndex((s) => this.selection.holds(s));
    if (place >= 0) {
      const [top, high] = [place * ROW, this.box.clientHeight];
      if (top < this.box.scrollTop || top + ROW > this.box.scrollTop + high)
        this.box.scrollTop = Math.max(0, top - high / 2 + ROW / 2);
    }
    nextFrame(this.#draw);
  }

  #paint() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.#rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + SPARE);
    const labels = this.marks.shown?.labels ?? [];
    const rows = [];
    for (let i = first; i < last; i++) rows.push(this.#row(i, labels));
    fill(this.space, ...rows);
    this.box.dataset.empty = this.marks.shown && !this.#rows.length ? (this.#wanted().words.length ? "search" : "none") : "";
    const active = rows.find((row) => row.getAttribute("aria-selected") === "true");
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  #row(i, labels) {
    const segment = this.#rows[i];
    const row = h(
      "div.segment",
      {
        role: "option",
        id: `segment-${i}`,
        "data-place": i,
        "aria-selected": this.selection.holds(segment),
        "aria-posinset": i + 1,
        "aria-setsize": this.#rows.length,
      },
      h(`i.swatch.lane-${theme.number(segment.label, labels)}`),
      h("b", { text: segment.label }),
      h("span.time", { text: clock(segment.start, 2) }),
      h("span.length", { text: length(segment.end - segment.start) }),
    );
    row.style.transform = `translateY(${i * ROW}px)`;
    return row;
  }

  #searchKey(event) {
    if (event.key === "Enter") {
      const { time } = this.#wanted();
      const found = time === null ? this.#rows[0] : this.#rows.find((s) => s.end > time);
      if (found) this.open(found);
    } else if (event.key === "ArrowDown") this.box.focus();
    else if (event.key === "Escape" && this.search.value) {
      this.search.value = "";
      this.#filter();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #key(event) {
    const place = this.#rows.findIndex((s) => this.selection.holds(s));
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey || !this.#rows.length) return;
    const to = Math.min(Math.max((place < 0 ? -1 : place) + steps[event.key], 0), this.#rows.length - 1);
    this.open(this.#rows[to]);
    event.preventDefault();
    event.stopPropagation();
  }
}
