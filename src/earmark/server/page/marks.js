/** The timeline that is shown and edited, kept the same as the server's. */

import * as api from "./api.js";
import { Emitter } from "./emitter.js";
import { History } from "./history.js";
import { Track } from "./track.js";

const RETRY_MS = 2000;
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
 * Emits `change` (segments are others), `state` (saved or not), `conflict` ({edit, name, error}), `foreign` (an edit
 * of somebody else), `renamed` (the edits go to another timeline now) and `failed` (an error).
 */
export class Marks extends Emitter {
  recording = null;
  name = null;
  version = 0;
  track = null;
  preview = null;
  history = new History();
  #queue = [];
  #sending = false;
  #ahead = new Set();
  #gap = 0;
  #timer = 0;

  /** The track that is seen: a preview, or what is saved. */
  get shown() {
    return this.preview ?? this.track;
  }

  /** How many edits are not saved yet. */
  get unsaved() {
    return this.#queue.length;
  }

  /** Show a timeline of a recording. */
  async open(recording, name) {
    const answer = await api.timeline(recording, name);
    if (recording !== this.recording || name !== this.name) this.history.clear();
    this.#take(recording, answer.name ?? name, answer);
  }

  close() {
    clearTimeout(this.#gap);
    clearTimeout(this.#timer);
    Object.assign(this, { recording: null, name: null, version: 0, track: null, preview: null });
    this.history.clear();
    this.#queue = [];
    this.#ahead.clear();
    this.emit("change");
    this.emit("state");
  }

  #take(recording, name, answer) {
    clearTimeout(this.#gap);
    this.#ahead.clear();
    this.recording = recording;
    this.name = name;
    this.version = answer.version;
    this.track = trackOf(answer);
    for (const entry of this.#queue) this.track.apply(entry.edit);
    this.emit("change");
    this.emit("state");
  }

  /** Load the timeline again; edits that wait stay. */
  async reload() {
    if (!this.recording) return;
    const { recording, name } = this;
    const answer = await api.timeline(recording, name);
    if (recording === this.recording && name === this.name) this.#take(recording, name, answer);
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
    this.#queue.push({ edit, name });
    this.emit("change");
    this.emit("state");
    this.#send();
  }

  async #send() {
    if (this.#sending || !this.#queue.length) return;
    this.#sending = true;
    const { recording } = this;
    const { edit, name } = this.#queue[0];
    try {
      const answer = await api.edit(recording, this.name, { base: this.version, ...edit });
      if (recording !== this.recording) return;
      this.#queue.shift();
      if (answer.name && answer.name !== this.name) {
        this.name = answer.name;
        this.version = answer.version;
        this.emit("renamed", answer.name);
      } else this.#counted(answer.version);
    } catch (error) {
      if (recording !== this.recording) return;
      await this.#refused(error, edit, name);
    } finally {
      this.#sending = false;
      this.emit("state");
    }
    this.#send();
  }

  async #refused(error, edit, name) {
    if (api.passing(error)) {
      await new Promise((resolve) => (this.#timer = setTimeout(resolve, RETRY_MS)));
      return;
    }
    this.#queue = [];
    this.history.drop(edit);
    await this.reload().catch(() => {});
    if (error.status === 409) this.emit("conflict", { edit, name, error });
    else this.emit("failed", error);
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
    if (version > this.version) this.#ahead.add(version);
    while (this.#ahead.delete(this.version + 1)) this.version += 1;
    clearTimeout(this.#gap);
    if (this.#ahead.size) this.#gap = setTimeout(() => this.reload().catch(() => {}), GAP_MS);
  }
}
