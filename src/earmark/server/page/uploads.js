/** Files on their way to the server, in chunks, two at a time; a broken one goes on where it stopped. */

import * as api from "./api.js";
import { Emitter } from "./emitter.js";

const AT_ONCE = 2;
const KEPT = "uploads";
const LONGEST_WAIT_MS = 15_000;

const known = () => JSON.parse(localStorage.getItem(KEPT) ?? "{}");
const mark = (file) => `${file.name}/${file.size}/${file.lastModified}`;

/** Note under which number the server knows a file, so that it goes on after the page was loaded again. */
function keep(file, upload) {
  const all = known();
  if (upload) all[mark(file)] = upload;
  else delete all[mark(file)];
  localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(Object.entries(all).slice(-50))));
}

/** Emits `change` when a file moved on, and `recording` when one has arrived. */
export class Uploads extends Emitter {
  /** @type {{name: string, size: number, sent: number, state: "waiting"|"sending"|"stalled"|"failed", error: string}[]} */
  entries = [];

  /**
   * Send files.
   * @param {File[]} files
   * @param {string|null} model
   * @param {number|undefined} limit bytes a file may have
   */
  add(files, model, limit) {
    for (const file of files) {
      const entry = { file, model, name: file.name, size: file.size, sent: 0, state: "waiting", error: "", abort: new AbortController() };
      if (!file.size) Object.assign(entry, { state: "failed", error: "This file is empty." });
      else if (limit && file.size > limit)
        Object.assign(entry, { state: "failed", error: `This file is larger than the server takes (${Math.floor(limit / 1e6)} MB).` });
      this.entries.push(entry);
    }
    this.#next();
  }

  /** Stop a file, or take a failed one off the list. */
  remove(entry) {
    entry.abort.abort();
    const upload = known()[mark(entry.file)];
    if (upload) api.dropUpload(upload).catch(() => {});
    keep(entry.file, null);
    this.entries = this.entries.filter((other) => other !== entry);
    this.#next();
  }

  retry(entry) {
    Object.assign(entry, { state: "waiting", error: "", abort: new AbortController() });
    this.#next();
  }

  get busy() {
    return this.entries.some((entry) => entry.state !== "failed");
  }

  #next() {
    this.emit("change");
    const running = this.entries.filter((entry) => ["sending", "stalled"].includes(entry.state)).length;
    for (const entry of this.entries.filter((e) => e.state === "waiting").slice(0, Math.max(0, AT_ONCE - running)))
      this.#send(entry);
  }

  async #send(entry) {
    entry.state = "sending";
    this.emit("change");
    try {
      const { upload, chunk } = await this.#begin(entry);
      while (entry.sent < entry.size) await this.#chunk(entry, upload, chunk);
      const recording = await this.#steadily(entry, () => api.endUpload(upload, entry.model));
      keep(entry.file, null);
      this.entries = this.entries.filter((other) => other !== entry);
      this.emit("recording", recording);
    } catch (error) {
      if (error.name === "AbortError") return;
      keep(entry.file, null);
      Object.assign(entry, { state: "failed", error: error.message });
    }
    this.#next();
  }

  async #begin(entry) {
    const upload = known()[mark(entry.file)];
    if (upload) {
      try {
        const state = await api.uploadState(upload);
        entry.sent = state.received;
        return { upload, chunk: state.chunk_bytes };
      } catch (error) {
        if (error.status === 0) throw error;
        keep(entry.file, null);
      }
    }
    const begun = await this.#steadily(entry, () => api.startUpload(entry.name, entry.size));
    keep(entry.file, begun.upload);
    entry.sent = 0;
    return { upload: begun.upload, chunk: begun.chunk_bytes };
  }

  async #chunk(entry, upload, chunk) {
    const from = entry.sent;
    const body = entry.file.slice(from, from + chunk);
    const answer = await this.#steadily(
      entry,
      () => api.sendChunk(upload, entry.sent, entry.file.slice(entry.sent, entry.sent + chunk), entry.abort.signal),
      async () => (entry.sent = (await api.uploadState(upload)).received),
    );
    entry.sent = answer?.received ?? from + body.size;
    this.emit("change");
  }

  /** Try until the server is there again, or agrees on where the file stands; what it refuses is an error at once. */
  async #steadily(entry, action, resume = async () => {}) {
    for (let wait = 500; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        const answer = await action();
        entry.state = "sending";
        return answer;
      } catch (error) {
        const apart = error.status === 409 && wait < 4000;
        if (!apart && !api.passing(error)) throw error;
        entry.state = "stalled";
        this.emit("change");
        await new Promise((done) => setTimeout(done, wait));
        entry.abort.signal.throwIfAborted();
        await resume().catch(() => {});
      }
    }
  }
}
