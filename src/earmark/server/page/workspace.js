/** The recording that is open, with everything that shows, plays and changes it. */

import * as api from "./api.js";
import { Compare } from "./compare.js";
import { Curves } from "./curves.js";
import { asked, confirmed } from "./dialogs.js";
import { button, byId, debounce, fill, h } from "./dom.js";
import { Editor, named } from "./editor.js";
import { Emitter } from "./emitter.js";
import { Exports } from "./exports.js";
import { clock, length, parseTime } from "./format.js";
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
import { Spectrogram } from "./spectrogram.js";
import { Stage } from "./stage.js";
import { Tune } from "./tune.js";
import { Transport } from "./transport.js";
import { TimeView } from "./view.js";
import { WaveData } from "./wavedata.js";
import { Waveform } from "./waveform.js";

/** What is edited comes before what was found. */
const preferred = (names) => ["edited", "detected"].find((name) => names.includes(name)) ?? names[0] ?? null;

/** Emits `place` when the view has come to rest. */
export class Workspace extends Emitter {
  recording = null;
  #models = [];
  #loading = null;
  #pointed = null;
  #own = [];

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
    this.spectrogram = new Spectrogram(byId("spectrogram"), view);
    this.curves = new Curves(view, () => this.lanes?.layer.invalidate());
    this.lanes = new Lanes(byId("lanes"), view, marks, selection, this.curves);
    this.heads = new LaneHeads(byId("lane-heads"), marks, selection, this.lanes);
    this.overview = new Overview(byId("overview"), view, marks);
    this.stage = new Stage(byId("stage"), { view, lanes: this.lanes, marks, selection, editor, player });
    this.list = new SegmentList({ box: byId("segments"), search: byId("segment-search"), summary: byId("segment-count") }, marks, selection, (s) => this.go(s));
    this.picked = new Picked(byId("picked"), { marks, selection, editor, player, view });
    this.tune = new Tune(byId("tune"), marks, this.curves);
    this.compare = new Compare(byId("compare"), marks);
    this.exports = new Exports(byId("exports"), marks);
    this.dropButton = button("trash", "Delete this timeline", () => this.#drop(), { class: "quiet" });
    this.dropButton.hidden = true;
    byId("timeline").after(this.dropButton);
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
    marks.on("renamed", (name) => {
      say(`Your changes are kept as “${name}”; what was detected stays as it was.`);
      this.#names(name);
    });
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
    this.tune.on("saved", (name) => this.#names(name).then(() => this.show(name)));
    this.compare.on("change", () => {
      this.lanes.comparison = this.compare.comparison;
      this.lanes.layer.invalidate();
    });
    this.compare.on("show", (name) => this.#choice(name));
    this.compare.on("jump", (direction) => this.disagreement(direction));
    byId("timeline").addEventListener("change", (event) => this.show(event.target.value));
  }

  /** Open a recording; `place` is the span to show first. */
  async open(recording, place = null) {
    this.close();
    this.recording = recording;
    this.#loading = recording.id;
    byId("recording-name").textContent = recording.name;
    this.told(recording);
    if (place && this.data) this.view.show(place.start, place.span);
    if (!recording.timelines || !Object.keys(recording.timelines).length) return;
    await this.#names();
    await this.show(preferred(this.names));
    if (place && this.data) this.view.show(place.start, place.span);
  }

  close() {
    this.#loading = null;
    this.recording = null;
    this.data = null;
    this.names = [];
    this.player.open(null, 0);
    this.marks.close();
    this.selection.reset();
    this.compare.open(null, []);
    this.tune.open(null, null);
    this.curves.open(null, null, 0);
    this.spectrogram.open(null);
    this.waveform.data = this.overview.data = null;
    byId("duration").textContent = "";
    this.#choice(null);
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

  /** Show a timeline of the recording. */
  async show(name) {
    if (!name || !this.recording) return;
    const { id } = this.recording;
    try {
      this.tune.discard();
      this.selection.clear();
      await this.marks.open(id, name);
      if (this.#loading !== id) return;
      this.#choice(this.marks.name);
      this.compare.open(id, this.names);
      const { model } = this;
      if (this.recording.models?.includes(model) && this.curves.model !== `${id}/${model}`) this.#model(model);
    } catch (error) {
      complain(error);
    }
  }

  /** Ask which timelines there are. */
  async #names(shown) {
    const { id } = this.recording;
    const found = await api.timelines(id).catch(() => []);
    if (this.recording?.id !== id) return;
    this.names = found.map((timeline) => timeline.name);
    this.#own = found.filter((timeline) => timeline.origin === "person").map((timeline) => timeline.name);
    this.#choice(shown ?? this.marks.name);
    this.compare.open(id, this.names);
  }

  #choice(name) {
    const select = byId("timeline");
    const names = this.names ?? [];
    fill(select, ...names.map((n) => h("option", { value: n, text: n })), !names.length && h("option", { value: "", text: "none yet" }));
    select.disabled = !names.length;
    if (name) select.value = name;
    this.dropButton.hidden = !this.#own.includes(select.value);
  }

  /** Delete the timeline that is shown; what a model found stays. */
  async #drop() {
    const { recording, name } = this.marks;
    const text = `“${name}” and its changes will be gone for everybody who uses this server.`;
    if (await confirmed("Delete this timeline?", text, "Delete")) await api.removeTimeline(recording, name).catch(complain);
  }

  /** Take in an edit, or a timeline that is new, other or gone. */
  async timeline(event) {
    if (event.recording !== this.recording?.id) return;
    const isNew = !this.names.includes(event.name);
    if (isNew || event.version === null) await this.#names();
    if (event.version === null && event.name === this.marks.name) await this.show(preferred(this.names));
    else if (!this.marks.name && !this.marks.unsaved) await this.show(preferred(this.names));
    else if (isNew && event.name === "edited" && this.marks.name === "detected" && event.by !== api.CLIENT && !this.marks.unsaved) {
      await this.show("edited");
      say("Somebody has begun to correct this recording; the corrected timeline is shown.");
    } else this.marks.told(event);
    if (event.name === this.compare.reference && event.version !== null) this.compare.against(event.name);
  }

  /** The server is there again: take up what was missed. */
  async again() {
    if (!this.recording) return;
    if (this.marks.name) await this.marks.reload().catch(complain);
    else await this.#names().then(() => this.show(preferred(this.names)));
    this.#redraw();
  }

  /** Ask for everything that is drawn again. */
  #redraw() {
    this.data?.peaks.forget();
    this.spectrogram.forget();
    this.waveform.layer.invalidate();
    this.overview.layer.invalidate();
  }

  // -- where one is ------------------------------------------------------------------------------

  /** Go to a segment: pick it, bring it into sight, put the cursor to its start. */
  go(segment) {
    this.player.seek(segment.start);
    this.selection.pick(segment);
    this.view.reveal(segment.start, segment.end);
  }

  /** Go to the next or previous segment of those listed. */
  step(direction) {
    const found = this.list.step(direction, this.player.position);
    if (found) this.go(found);
    else say(direction > 0 ? "This is the last segment." : "This is the first segment.");
  }

  disagreement(direction) {
    const found = this.compare.step(direction, this.player.position);
    if (!found) {
      say(this.compare.comparison ? "There is no further disagreement." : "Nothing is compared.");
      return;
    }
    this.player.seek(found.start);
    this.selection.span(found.start, found.end, found.label);
    this.view.reveal(found.start, found.end);
    say(Compare.told(found));
  }

  async jump() {
    const check = (text) => (parseTime(text) === null ? "A time looks like 83.5, 1:23.5, 1:02:03 or 5m 30s." : null);
    const text = await asked("Jump to a time", { label: "Time", value: clock(this.player.position, 2), hint: "83.5, 1:23.5, 1:02:03 or 5m 30s", action: "Jump", check });
    if (text === null) return;
    this.player.seek(parseTime(text));
    this.view.reveal(this.player.position);
  }

  /** Move the cursor by seconds, and have it in sight. */
  move(seconds) {
    this.player.seek(this.player.position + seconds);
    this.view.reveal(this.player.position);
  }

  /** Put an end of the selected span to the cursor. */
  point(edge) {
    const { position } = this.player;
    const { range } = this.selection;
    let other = position;
    if (range && range.end > range.start) other = edge === "start" ? Math.max(range.end, position) : Math.min(range.start, position);
    else if (range && this.#pointed !== edge) other = range.start;
    this.#pointed = edge;
    this.selection.span(position, other, this.selection.lane ?? this.marks.shown?.labels[0] ?? null);
    say(`Selection ${clock(this.selection.range.start, 2)} to ${clock(this.selection.range.end, 2)}.`);
  }

  playPicked() {
    const { bounds } = this.selection;
    if (bounds && bounds.end > bounds.start) this.player.play(bounds.start, bounds.end);
    else this.player.toggle();
  }

  zoomPicked() {
    const { bounds } = this.selection;
    if (bounds) this.view.frame(bounds.start, bounds.end);
    else say("Pick a segment or a span first.");
  }

  /** Give what is picked a label: a segment another one, a span a segment of its own. */
  label(label) {
    const { segment, range } = this.selection;
    if (segment) this.editor.relabel(segment, label);
    else if (range) this.editor.draw(label, range.start, range.end);
    else {
      this.selection.lane = label;
      this.selection.emit("change");
    }
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

  /** Tell what is picked for the keys that change it; null, and a word, if nothing is. */
  get segment() {
    const { segment } = this.selection;
    if (!segment) say("Pick a segment first: click it, or go to one with ↓.");
    return segment;
  }

  /** Move an end of the picked segment by seconds. */
  nudge(edge, seconds) {
    const { segment } = this;
    if (!segment) return;
    this.editor.setEdge(segment, edge, segment[edge] + seconds);
    const now = this.selection.segment;
    if (now) {
      this.view.reveal(now[edge]);
      say(named(now));
    }
  }
}
