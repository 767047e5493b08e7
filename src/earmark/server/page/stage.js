/** Pointers, wheel and fingers over the canvases, and the lines that lie over all of them. */

import { SHORTEST_S, rounded } from "./editor.js";
import { clock } from "./format.js";

const CLICK_PX = 4;
const EDGE_PX = { mouse: 6, pen: 8, touch: 18 };
const SNAP_PX = 5;

export class Stage {
  #fingers = new Map();
  #drag = null;
  #pinch = null;

  /**
   * @param {HTMLElement} box the stage; its `.row` say in `data-kind` what they show
   * @param {object} parts view, lanes, marks, selection, editor, player
   */
  constructor(box, parts) {
    Object.assign(this, parts, { box });
    this.over = box.querySelector(".over");
    [this.playhead, this.hairline, this.band] = [".playhead", ".hairline", ".band"].map((c) => box.querySelector(c));
    this.chip = this.hairline.firstElementChild;
    new ResizeObserver(() => this.view.resize(this.over.clientWidth)).observe(this.over);
    this.view.on("change", () => this.#lines());
    this.selection.on("change", () => this.#lines());
    this.player.on("time", () => this.#lines());
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.#down(event));
    box.addEventListener("pointermove", (event) => this.#move(event));
    box.addEventListener("pointerup", (event) => this.#up(event));
    box.addEventListener("pointercancel", (event) => this.#cancel(event));
    box.addEventListener("pointerleave", () => (this.hairline.hidden = true));
    box.addEventListener("dblclick", (event) => this.#twice(event));
  }

  /** Give up what is being dragged. */
  abandon() {
    const dragging = this.#drag?.moved;
    this.#drag = null;
    this.lanes.draft = null;
    this.lanes.layer.invalidate();
    return Boolean(dragging);
  }

  #lines() {
    const place = (element, time) => {
      const x = this.view.x(time);
      element.hidden = x < -1 || x > this.view.width + 1;
      element.style.transform = `translateX(${x}px)`;
    };
    place(this.playhead, this.player.position);
    const { range } = this.selection;
    this.band.hidden = !range;
    if (!range) return;
    const left = Math.max(-4, this.view.x(range.start));
    const right = Math.min(this.view.width + 4, this.view.x(range.end));
    this.band.hidden = right < left;
    this.band.style.transform = `translateX(${left}px)`;
    this.band.style.width = `${Math.max(1, right - left)}px`;
  }

  /** Where an event is: its row, its place and its time. */
  #place(event) {
    const x = event.clientX - this.over.getBoundingClientRect().left;
    const row = event.target.closest?.("[data-kind]");
    const kind = row?.dataset.kind ?? "";
    const lane = kind === "lanes" ? this.lanes.at(event.clientY - this.lanes.layer.canvas.getBoundingClientRect().top) : {};
    return { x, time: Math.min(Math.max(this.view.time(x), 0), this.view.duration), kind, ...lane };
  }

  #wheel(event) {
    if (!this.marks.recording && !this.player.data) return;
    const scroller = event.target.closest(".lanes");
    const upright = Math.abs(event.deltaY) > Math.abs(event.deltaX);
    if (scroller && scroller.scrollHeight > scroller.clientHeight + 1 && upright && !event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      const strength = Math.min(Math.max(event.deltaY * unit, -120), 120);
      this.view.zoom(Math.exp(-strength / 240), this.#place(event).time);
    } else this.view.pan((upright ? event.deltaY : event.deltaX) * unit * this.view.secondsPerPixel);
  }

  /** Return the segment edge under a place of the lanes: [segment, "start" | "end"], or null. */
  #edge(place, pointer) {
    const { marks, view } = this;
    if (!place.label || !place.bar || marks.preview || !marks.track) return null;
    const reach = EDGE_PX[pointer] ?? EDGE_PX.mouse;
    const around = reach * view.secondsPerPixel;
    const [from, to] = marks.track.within(place.label, place.time - around, place.time + around);
    let best = null;
    let least = reach;
    for (const segment of marks.track.lane(place.label).slice(from, Math.min(to, from + 50))) {
      const wide = (segment.end - segment.start) / view.secondsPerPixel;
      if (wide < 6 || (pointer === "touch" && !this.selection.holds(segment))) continue;
      for (const edge of ["start", "end"]) {
        const away = Math.abs(view.x(segment[edge]) - place.x);
        const inner = edge === "start" ? place.x > view.x(segment.start) : place.x < view.x(segment.end);
        if (away < least && (!inner || away < wide / 3)) [best, least] = [[segment, edge], away];
      }
    }
    return best;
  }

  #down(event) {
    if (event.target.closest("button, select, .head")) return;
    this.#fingers.set(event.pointerId, event);
    if (this.#fingers.size === 2) {
      this.abandon();
      this.#pinch = this.#spread();
      return;
    }
    if (event.button > 1) return;
    const place = this.#place(event);
    if (!place.kind) return;
    const edge = event.button === 0 ? this.#edge(place, event.pointerType) : null;
    const touch = event.pointerType === "touch";
    const segment = place.label && place.bar ? this.marks.shown?.at(place.label, place.time) : null;
    let action = "range";
    if (edge) action = "edge";
    else if (event.button === 1 || touch || place.kind === "ruler") action = "pan";
    else if (place.bar && place.label && !segment && !this.marks.preview) action = "draw";
    this.#drag = { action, edge, segment, place, touch, from: this.view.start, moved: false };
    this.box.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") event.preventDefault();
    this.box.focus({ preventScroll: true });
  }

  #move(event) {
    if (this.#fingers.has(event.pointerId)) this.#fingers.set(event.pointerId, event);
    if (this.#pinch && this.#fingers.size === 2) {
      this.#pinched();
      return;
    }
    const place = this.#place(event);
    if (!this.#drag) {
      this.#hover(event, place);
      return;
    }
    const drag = this.#drag;
    if (!drag.moved && Math.abs(place.x - drag.place.x) < CLICK_PX) return;
    drag.moved = true;
    const [a, b] = [drag.place.time, place.time];
    if (drag.action === "pan") this.view.show(drag.from - (place.x - drag.place.x) * this.view.secondsPerPixel, this.view.span);
    else if (drag.action === "range") this.selection.span(a, b, drag.place.label ?? this.selection.lane);
    else if (drag.action === "draw") {
      const [start, end] = [this.#snapped(Math.min(a, b), drag.place.label), this.#snapped(Math.max(a, b), drag.place.label)];
      drag.draft = { start: rounded(start), end: rounded(end), label: drag.place.label };
      this.#sketch({ remove: [], add: [drag.draft] });
    } else {
      const [segment, edge] = drag.edge;
      drag.draft = this.editor.moved(segment, edge, this.#snapped(place.time, segment.label));
      this.#sketch({ remove: [segment], add: [drag.draft] });
    }
    this.#hover(event, place);
  }

  #sketch(draft) {
    this.lanes.draft = draft;
    this.lanes.layer.invalidate();
  }

  /** Edges hold fast to the cursor and to edges of other labels. */
  #snapped(time, label) {
    const reach = SNAP_PX * this.view.secondsPerPixel;
    const near = [this.player.position];
    for (const other of this.marks.track.labels) {
      if (other === label) continue;
      const [from, to] = this.marks.track.within(other, time - reach, time + reach);
      for (const s of this.marks.track.lane(other).slice(from, Math.min(to, from + 20))) near.push(s.start, s.end);
    }
    const best = near.reduce((a, b) => (Math.abs(b - time) < Math.abs(a - time) ? b : a));
    return Math.abs(best - time) <= reach ? best : time;
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    if (this.#fingers.size < 2) this.#pinch = null;
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    this.lanes.draft = null;
    this.lanes.layer.invalidate();
    if (!drag.moved) {
      this.#click(drag);
      return;
    }
    if (drag.action === "edge" && drag.draft) this.editor.setEdge(drag.edge[0], drag.edge[1], drag.draft[drag.edge[1]]);
    if (drag.action === "draw" && drag.draft && drag.draft.end - drag.draft.start >= SHORTEST_S)
      this.editor.draw(drag.draft.label, drag.draft.start, drag.draft.end);
  }

  #click({ segment, edge, place, touch }) {
    const { selection } = this;
    this.player.seek(place.time);
    const hit = segment ?? edge?.[0];
    // Without a keyboard, a tap is the way to where a span ends.
    if (hit && !(touch && selection.waits)) {
      selection.pick(hit);
      return;
    }
    if (place.label && !hit) selection.lane = place.label;
    if (selection.waits) selection.emit("change");
    else selection.clear();
  }

  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    this.#pinch = null;
    this.abandon();
  }

  #twice(event) {
    const { label, bar, time } = this.#place(event);
    const segment = label && bar ? this.marks.shown?.at(label, time) : null;
    if (segment) this.view.frame(segment.start, segment.end);
  }

  #spread() {
    const [a, b] = [...this.#fingers.values()];
    const left = this.over.getBoundingClientRect().left;
    const middle = (a.clientX + b.clientX) / 2 - left;
    return { apart: Math.max(20, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)), middle };
  }

  #pinched() {
    const now = this.#spread();
    const { view } = this;
    const time = view.time(this.#pinch.middle);
    const span = (view.span * this.#pinch.apart) / now.apart;
    view.show(time - (now.middle / view.width) * span, span);
    this.#pinch = now;
  }

  #hover(event, place) {
    const inside = place.x >= 0 && place.x <= this.view.width && event.pointerType !== "touch";
    this.hairline.hidden = !inside;
    if (!inside) return;
    this.hairline.style.transform = `translateX(${place.x}px)`;
    const decimals = Math.min(3, Math.max(0, Math.ceil(-Math.log10(this.view.secondsPerPixel))));
    this.chip.textContent = clock(place.time, decimals);
    this.chip.classList.toggle("left", place.x > this.view.width - 90);
    const edge = this.#drag ? this.#drag.action === "edge" : this.#edge(place, event.pointerType);
    const empty = place.bar && place.label && !this.marks.preview && !this.marks.shown?.at(place.label, place.time);
    this.box.dataset.pointer = edge ? "edge" : place.kind === "ruler" ? "pan" : empty ? "draw" : "";
  }
}
