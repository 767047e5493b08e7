/** The recording that is open, with everything that shows, plays and changes it. */

import * as api from "./api.js";
import { Compare } from "./compare.js";
import { Cursor } from "./cursor.js";
import { Curves } from "./curves.js";
import { byId, debounce, fill, h } from "./dom.js";
import { Editor } from "./editor.js";
import { Emitter } from "./emitter.js";
import { Exports } from "./exports.js";
import { clock, length } from "./format.js";
import { LaneHeads } from "./lanehead.js";
import { Lanes } from "./lanes.js";
import { SegmentList } from "./list.js";
import { Marks } from "./marks.js";
import { complain, notice, say } from "./notices.js";
import { Overview } from "./overview.js";
import { Picked } from "./picked.js";
import { Player } from "./player.js";
import { showProgress } from "./progress.js";
import { Ruler } from "./ruler.js";
import { Selection } from "./selection.js";
import { Shares } from "./shares.js";
import { Spectrogram } from "./spectrogram.js";
import { Stage } from "./stage.js";
import { Timelines } from "./timelines.js";
import { Tune } from "./tune.js";
import { Transport } from "./transport.js";
import { TimeView } from "./view.js";
import { WaveData } from "./wavedata.js";
import { Waveform } from "./waveform.js";

/** Emits `place` when the view has come to rest. */
export class Workspace extends Emitter {
  recording = null;
  #models = [];

  constructor() {
    super();
    this.view = new TimeView();
    this.marks = new Marks();
    this.selection = new Selection();
    this.player = new Player();
    this.editor = new Editor(this.marks, this.selection, say);
    const { view, marks, selection, player, editor } = this;
    this.ruler = new Ruler(byId("ruler"), view);
    this.waveform = new Waveform(byId("waveform"), view);
    this.spectrogram = new Spectrogram(byId("spectrogram"), byId("scale"), view);
    this.curves = new Curves(view, () => this.lanes?.layer.invalidate());
    this.lanes = new Lanes(byId("lanes"), view, marks, selection, this.curves);
    this.heads = new LaneHeads(byId("lane-heads"), marks, selection, this.lanes);
    this.overview = new Overview(byId("overview"), view, marks);
    this.stage = new Stage(byId("stage"), { view, lanes: this.lanes, marks, selection, editor, player });
    this.list = new SegmentList({ box: byId("segments"), search: byId("segment-search"), summary: byId("segment-count") }, marks, selection, (s) => this.cursor.go(s));
    this.picked = new Picked(byId("picked"), { marks, selection, editor, player, view });
    this.tune = new Tune(byId("tune"), marks, this.curves);
    this.compare = new Compare(byId("compare"), marks);
    this.exports = new Exports(byId("exports"), marks);
    this.shares = new Shares(byId("shares"), marks);
    this.timelines = new Timelines(byId("timeline"), marks);
    this.cursor = new Cursor({ view, marks, selection, player, editor, list: this.list, compare: this.compare });
    this.#connect();
    this.transport = new Transport(this);
  }

  /** Take in what the server can do. */
  configure(status) {
    this.#models = status.models;
    this.exports.formats = this.compare.formats = status.formats;
    this.exports.show();
  }

  #connect() {
    const { view, marks, player, selection } = this;
    const rest = debounce(400, () => this.emit("place"));
    view.on("change", rest);
    player.on("failed", complain);
    marks.on("change", () => this.#outline());
    marks.on("change", () => this.#keepSelection());
    marks.on("failed", complain);
    marks.on("foreign", () => say("Somebody else has changed a segment; it is shown."));
    marks.on("conflict", ({ changes }) => {
      const names = changes.map(({ name }) => name).join("; ");
      notice(`Somebody else has changed this meanwhile, so your change was not saved: ${names}. Theirs is shown now.`, {
        kind: "error",
        actions: { "Make my change again": () => changes.forEach(({ edit, name }) => this.editor.again(edit, name)), "Leave theirs": () => {} },
      });
    });
    selection.on("change", () => {
      const { segment } = selection;
      if (segment) say(`${segment.label}, ${clock(segment.start, 1)} to ${clock(segment.end, 1)}, ${length(segment.end - segment.start)}.`);
    });
    this.timelines.on("choosing", () => {
      this.tune.discard();
      selection.clear();
    });
    this.timelines.on("shown", () => this.#shown());
    this.timelines.on("names", () => this.compare.open(this.recording.id, this.timelines.names));
    this.tune.on("saved", (name) => this.timelines.load(name).then(() => this.timelines.show(name)));
    this.compare.on("change", () => {
      this.lanes.comparison = this.compare.comparison;
      this.lanes.layer.invalidate();
    });
    this.compare.on("show", (name) => this.timelines.choose(name));
    this.compare.on("jump", (direction) => this.cursor.disagreement(direction));
  }

  /** Open a recording; `place` is the span to show first. */
  async open(recording, place = null) {
    this.close();
    this.recording = recording;
    byId("recording-name").textContent = recording.name;
    this.told(recording);
    if (place && this.data) this.view.show(place.start, place.span);
    await this.timelines.open(recording.id);
    if (place && this.data) this.view.show(place.start, place.span);
  }

  close() {
    this.recording = null;
    this.data = null;
    this.player.open(null, 0);
    // Before its timeline goes: what is picked must not outlive it.
    this.selection.reset();
    this.timelines.open(null);
    this.compare.open(null, []);
    this.tune.open(null, null);
    this.curves.open(null, null, 0);
    this.spectrogram.open(null);
    this.waveform.data = this.overview.data = null;
    byId("duration").textContent = "";
  }

  /** Take in what the server tells of the recording. */
  told(recording) {
    const before = this.recording;
    this.recording = recording;
    if (recording.duration && recording.duration !== this.data?.duration) this.#sound(recording);
    else if (this.data && recording.peaks && !before.peaks) this.#redraw();
    const { model } = this;
    if (recording.models?.includes(model) && this.curves.model !== `${recording.id}/${model}`) this.#model(model);
    showProgress(recording);
    this.#outline();
  }

  /** Until there is something to see, its place is outlined. */
  #outline() {
    const working = ["queued", "running"].includes(this.recording?.state);
    byId("stage").classList.toggle("blank", !this.data);
    byId("stage").classList.toggle("waiting", working && !this.marks.shown);
  }

  get model() {
    const { recording } = this;
    const known = recording?.models ?? [];
    return [this.marks.name, recording?.model].find((name) => known.includes(name)) ?? known[0] ?? recording?.model ?? null;
  }

  #model(model) {
    const { recording } = this;
    this.curves.model = `${recording.id}/${model}`;
    this.curves.open(recording.id, model, recording.duration);
    this.tune.open(recording.id, model);
  }

  #sound(recording) {
    const changed = () => {
      this.waveform.layer.invalidate();
      this.overview.layer.invalidate();
    };
    // A length that a file states is put right when all of it has been read.
    const { start, span, duration } = this.view;
    const zoomed = this.data && span < duration;
    this.data = new WaveData(recording.id, recording.duration, changed);
    this.waveform.data = this.overview.data = this.data;
    this.player.open(this.data, recording.duration);
    this.view.reset(recording.duration);
    if (zoomed) this.view.show(start, span);
    this.spectrogram.open(recording.id);
    byId("duration").textContent = clock(recording.duration);
    changed();
  }

  #shown() {
    const { recording, model } = this;
    this.compare.open(recording.id, this.timelines.names);
    if (recording.models?.includes(model) && this.curves.model !== `${recording.id}/${model}`) this.#model(model);
  }

  /** Take in what the server tells of a timeline. */
  async timeline(event) {
    if (event.recording !== this.recording?.id) return;
    await this.timelines.told(event);
    if (event.name === this.compare.reference && event.version !== null) this.compare.against(event.name);
  }

  /** The server is there again: take up what was missed. */
  async again() {
    await this.timelines.again();
    if (this.recording) this.#redraw();
  }

  /** Ask for everything that is drawn again. */
  #redraw() {
    this.data?.peaks.forget();
    this.spectrogram.forget();
    this.waveform.layer.invalidate();
    this.overview.layer.invalidate();
  }

  /** Mark the recording again with a model. */
  async detectWith(model) {
    try {
      await api.detect(this.recording.id, model);
      say(`Marking again with ${model}.`);
    } catch (error) {
      complain(error);
    }
  }

  /** A segment that is gone is picked no longer. */
  #keepSelection() {
    const { segment } = this.selection;
    if (!segment) return;
    const found = this.marks.shown?.find(segment);
    if (!found) this.selection.clear();
    else this.selection.segment = found;
  }

  /** The way to mark the recording again, for the heading. */
  againMenu() {
    const select = byId("again");
    fill(select, h("option", { value: "", text: "Mark again with…" }), ...this.#models.map((m) => h("option", { value: m.name, text: m.name })));
    select.onchange = () => {
      if (select.value) this.detectWith(select.value);
      select.value = "";
    };
  }
}
