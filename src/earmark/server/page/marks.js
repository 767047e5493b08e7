/** The timeline that is shown and edited, kept the same as the server's. */

import * as api from "./api.js";
import { Emitter } from "./emitter.js";
import { History } from "./history.js";
import { Queues } from "./queue.js";
import { Track } from "./track.js";

const GAP_MS = 1500;

/** What goes over the wire of a segment: what it is, and what is known of it. */
function plain(segment) {
  const sent = { start: segment.start, end: segment.end, label: segment.label };
  for (const key of ["confidence", "speech_to_music_db"])
    if (segment[key] !== null && segment[key] !== undefined) sent[key] = segment[key];
  return sent;
}

/** Turn the answer of the server into a track. */
export const trackOf = (timeline) => new Track(timeline.segments, timeline.labels, timeline.duration);

/**
 * Emits `change` (segments are others), `state` (saved or not), `conflict` ({changes: [{edit, name}]}), `foreign` (an
 * edit of somebody else), `renamed` (the edits go to another timeline now) and `failed` (an error).
 */
export class Marks extends Emitter {
  recording = null;
  name = null;
  version = 0;
  track = null;
  preview = null;
  history = new History();
  #queues = new Queues();
  #wanted = null;
  #loaded = 0;
  #heard = 0;
  #ahead = new Set();
  #gap = 0;

  constructor() {
    super();
    this.#queues.on("state", () => this.emit("state"));
    this.#queues.on("saved", (told) => this.#saved(told));
    this.#queues.on("moved", ({ recording, from, to }) => {
      if (recording === this.recording && from === this.name) this.#follow(to);
    });
    this.#queues.on("refused", (told) => this.#refused(told));
  }

  /** The track that is seen: a preview, or what is saved. */
  get shown() {
    return this.preview ?? this.track;
  }

  /** How many edits are not saved yet, of all recordings. */
  get unsaved() {
    return this.#queues.size;
  }

  /** Show a timeline of a recording, unless another is wanted before it is here. */
  async open(recording, name) {
    const before = this.#wanted;
    const wanted = { recording, name };
    this.#wanted = wanted;
    try {
      await this.#load(wanted);
    } catch (error) {
      if (this.#wanted === wanted) this.#wanted = before;
      throw error;
    }
  }

  /** Show nothing; edits that wait are saved none the less. */
  close() {
    clearTimeout(this.#gap);
    Object.assign(this, { recording: null, name: null, version: 0, track: null, preview: null });
    this.#wanted = null;
    this.history.clear();
    this.#ahead.clear();
    this.emit("change");
    this.emit("state");
  }

  /** Load the timeline again; edits that wait stay. */
  async reload() {
    if (this.#wanted) await this.#load(this.#wanted);
  }

  async #load(wanted) {
    for (;;) {
      const answer = await api.timeline(wanted.recording, wanted.name);
      if (wanted !== this.#wanted) return;
      const again = wanted.recording === this.recording && wanted.name === this.name;
      if (!again || answer.version >= this.#heard) return this.#take(wanted, answer, again);
      // It was sent before an edit that is known to be saved.
      this.#heard = answer.version;
    }
  }

  #take({ recording, name }, answer, again) {
    clearTimeout(this.#gap);
    this.#ahead.clear();
    if (!again) this.history.clear();
    Object.assign(this, { recording, name, version: answer.version, track: trackOf(answer) });
    this.#loaded = this.#heard = answer.version;
    for (const { edit } of this.#queues.of(recording, name)) this.track.apply(edit);
    this.emit("change");
    this.emit("state");
  }

  /** Go over to the timeline that edits go to from now on; it has to be loaded then. */
  #follow(name) {
    Object.assign(this, { name, version: 0 });
    this.#wanted = { recording: this.recording, name };
    this.#loaded = this.#heard = 0;
    this.#ahead.clear();
    this.emit("renamed", name);
  }

  /** Show another decoding without saving it; null ends that. */
  setPreview(track) {
    this.preview = track;
    this.emit("change");
  }

  /**
   * Change segments: at once here, then on the server.
   * @param {import("./history.js").Edit} edit
   * @param {string} name what it is, e.g. "Split speech"
   */
  edit(edit, name) {
    const sent = { remove: edit.remove.map(plain), add: edit.add.map(plain) };
    this.history.push(sent, name);
    this.#submit(sent, name);
  }

  /** Take back the newest change of one's own; returns its name, or null. */
  undo() {
    return this.#step(this.history.undo());
  }

  redo() {
    return this.#step(this.history.redo());
  }

  #step(entry) {
    if (!entry) return null;
    if (this.track.missing(entry.edit).length) {
      this.history.drop(entry.edit);
      this.emit("failed", new Error(`“${entry.name}” cannot be taken back: somebody has changed these segments since.`));
      return null;
    }
    this.#submit(entry.edit, entry.name);
    return entry.name;
  }

  #submit(edit, name) {
    this.track.apply(edit);
    this.emit("change");
    this.#queues.add(this.recording, this.name, this.version, edit, name);
  }

  #saved({ entry, name, version }) {
    if (entry.recording !== this.recording || name !== this.name) return;
    // What was loaded while the edit was on its way, or from elsewhere, may hold it twice or not at all.
    const unsure = version <= this.#loaded || entry.timeline !== name;
    this.#counted(version);
    if (unsure) this.reload().catch((error) => this.emit("failed", error));
  }

  async #refused({ recording, timeline, refused }) {
    const { error } = refused[0];
    const names = refused.map(({ entry }) => entry.name).join("; ");
    for (const { entry } of refused) this.history.drop(entry.edit);
    const now = error.body.name ?? timeline;
    if (recording !== this.recording || ![timeline, now].includes(this.name)) {
      this.emit("failed", new Error(`A change of the timeline “${timeline}” that was open before could not be saved: ${names}. ${error.message}`));
      return;
    }
    if (now !== this.name) this.#follow(now);
    await this.reload().catch(() => {});
    if (error.status === 409) this.emit("conflict", { changes: refused.map(({ entry }) => entry) });
    else this.emit("failed", new Error(`Not saved: ${names}. ${error.message}`));
  }

  /** Take in what the server tells of a timeline of this recording. */
  told(event) {
    if (event.recording !== this.recording || event.name !== this.name || event.version === null) return;
    if (event.version <= this.version || this.#ahead.has(event.version)) return;
    if (event.by !== api.CLIENT) {
      if (!event.edit || this.track.missing(event.edit).length) {
        this.reload().catch((error) => this.emit("failed", error));
        return;
      }
      this.track.apply(event.edit);
      this.emit("change");
      this.emit("foreign", event.edit);
    }
    this.#counted(event.version);
  }

  /** Note a version that is contained; when one is missing for long, everything is loaded again. */
  #counted(version) {
    this.#heard = Math.max(this.#heard, version);
    if (version > this.version) this.#ahead.add(version);
    while (this.#ahead.delete(this.version + 1)) this.version += 1;
    clearTimeout(this.#gap);
    if (this.#ahead.size) this.#gap = setTimeout(() => this.reload().catch(() => {}), GAP_MS);
  }
}
