/** The recordings: their list with state and shares, and the ways to bring in more. */

import * as api from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { asked, confirmed, pickFiles } from "./dialogs.js";
import { Emitter } from "./emitter.js";
import { browse } from "./folder.js";
import { clock, count, day, percent, size } from "./format.js";
import { nextFrame } from "./frames.js";
import { complain, notice, say } from "./notices.js";
import { theme } from "./theme.js";
import { Uploads } from "./uploads.js";

const WORDS = { queued: "waiting", running: "working", failed: "failed", cancelled: "stopped" };

/** Emits `open` with the id of a recording, `change` with a recording that is other now, `removed` with an id. */
export class Library extends Emitter {
  /** @type {Map<string, object>} */
  recordings = new Map();
  current = null;
  status = null;
  uploads = new Uploads();
  #rows = new Map();
  #changed = new Set();
  #draw = () => this.#paint();

  /** @param {{list: HTMLElement, uploads: HTMLElement, search: HTMLInputElement, model: HTMLSelectElement, add: HTMLElement}} elements */
  constructor(elements) {
    super();
    this.elements = elements;
    elements.search.addEventListener("input", () => this.#show());
    elements.list.addEventListener("keydown", (event) => this.#step(event));
    elements.model.addEventListener("change", () => localStorage.setItem("model", elements.model.value));
    this.uploads.on("change", () => this.#showUploads());
    this.uploads.on("recording", (recording) => {
      this.answered(recording);
      say(`${recording.name} has arrived.`);
      if (!this.current || this.recordings.size === 1) this.emit("open", recording.id);
    });
    addEventListener("beforeunload", (event) => this.uploads.busy && event.preventDefault());
  }

  /** Take in what the server can do. */
  configure(status) {
    this.status = status;
    const { model, add } = this.elements;
    fill(model, ...status.models.map((m) => h("option", { value: m.name, text: m.name })));
    const kept = localStorage.getItem("model");
    const first = status.models.find((m) => m.name === kept) ?? status.models.find((m) => m.default) ?? status.models[0];
    if (first) model.value = first.name;
    fill(add, ...this.ways());
  }

  /** Buttons of the ways to bring in recordings. */
  ways(prominent = false) {
    return [
      button("upload", "Add files", () => this.pick(), { text: "Add files", class: "primary", key: "A" }),
      this.status.folder && button("folder", "Browse the server's folder", () => this.browse(), prominent ? { text: "Browse the server" } : {}),
      this.status.fetch && button("link", "Add from an address", () => this.fromUrl(), prominent ? { text: "From an address" } : {}),
    ].filter(Boolean);
  }

  /** Load the list anew. */
  async refresh() {
    const found = await api.recordings();
    this.recordings = new Map(found.map((recording) => [recording.id, recording]));
    this.#show();
  }

  /** Take in a recording as the server tells it. */
  told(recording) {
    const isNew = !this.recordings.has(recording.id);
    const known = { ...this.recordings.get(recording.id), ...recording };
    this.recordings = isNew
      ? new Map([[recording.id, known], ...this.recordings])
      : this.recordings.set(recording.id, known);
    this.#show(isNew ? null : recording.id);
    this.emit("change", known);
  }

  /** Take in the answer to a request; news that came before it are newer. */
  answered(recording) {
    if (!this.recordings.has(recording.id)) this.told(recording);
  }

  /** Take in how far a job is. */
  job(job) {
    const recording = this.recordings.get(job.recording);
    if (!recording || !["detect", "fetch", "picture"].includes(job.kind)) return;
    const { id, state, stage } = recording;
    const told = { id, state: job.state, progress: job.progress, stage: job.kind, error: job.error };
    const waits = { ...told, state: "queued", error: null };
    if (job.kind === "detect") this.told(told);
    else if (job.kind === "fetch") this.told(job.state === "done" ? waits : told);
    // What waits to be listened to may be drawn meanwhile.
    else if (state === "queued" || stage === "picture") this.told(job.state === "running" ? told : waits);
  }

  forget(id) {
    if (!this.recordings.delete(id)) return;
    this.#show();
    this.emit("removed", id);
  }

  mark(id) {
    const before = this.current;
    this.current = id;
    this.#show(before);
    this.#show(id);
  }

  async pick() {
    this.send(await pickFiles(true, "audio/*,video/*,.opus,.mka,.mxf,.caf,.au,.amr,.ac3"));
  }

  send(files) {
    if (files.length) this.uploads.add(files, this.elements.model.value || null, this.status.limits?.upload_bytes);
  }

  async browse() {
    const paths = await browse();
    for (const path of paths ?? []) await this.#bring(() => api.addFromFolder(path, this.elements.model.value));
  }

  async fromUrl() {
    const check = (text) => (/^https?:\/\/.+/i.test(text.trim()) ? null : "An address begins with http:// or https://.");
    const url = await asked("Add a recording from an address", { label: "Address of a sound file", type: "url", action: "Add", check });
    if (url) await this.#bring(() => api.addFromUrl(url.trim(), this.elements.model.value));
  }

  async #bring(request) {
    try {
      const answer = await request();
      const recording = answer.recording?.id ? answer.recording : answer;
      this.answered(recording);
      if (!this.current) this.emit("open", recording.id);
    } catch (error) {
      complain(error);
    }
  }

  async remove(recording) {
    const text = `“${recording.name}”, its timelines and everything corrected in it will be gone from this server. Files in the server's folder stay.`;
    if (!(await confirmed("Delete this recording?", text, "Delete"))) return;
    try {
      await api.removeRecording(recording.id);
      this.forget(recording.id);
      notice(`“${recording.name}” is deleted.`);
    } catch (error) {
      complain(error);
    }
  }

  /** Have the row of a recording drawn, or without one, all of them. */
  #show(id = null) {
    this.#changed.add(id);
    nextFrame(this.#draw);
  }

  /** Put the rows in place; those of recordings that are as they were stay. */
  #paint() {
    const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
    if (this.#changed.has(null)) this.#all();
    else for (const id of this.#changed) this.#one(id);
    this.#changed.clear();
    if (focused && !document.activeElement?.closest?.("[data-id]"))
      this.elements.list.querySelector(`[data-id="${CSS.escape(focused)}"] .open`)?.focus({ preventScroll: true });
  }

  #key = (recording) => JSON.stringify([recording, recording.id === this.current]);

  #one(id) {
    const [recording, old] = [this.recordings.get(id), this.#rows.get(id)];
    if (!recording || !old || old.key === this.#key(recording)) return;
    const row = this.#row(recording);
    old.row.replaceWith(row);
    this.#rows.set(id, { key: this.#key(recording), row });
  }

  #all() {
    const wanted = this.elements.search.value.trim().toLowerCase();
    const shown = [...this.recordings.values()].filter((r) => r.name.toLowerCase().includes(wanted));
    const { list } = this.elements;
    const kept = this.#rows;
    this.#rows = new Map();
    for (const recording of shown) {
      const key = this.#key(recording);
      const old = kept.get(recording.id);
      this.#rows.set(recording.id, old?.key === key ? old : { key, row: this.#row(recording) });
    }
    const rows = [...this.#rows.values()].map(({ row }) => row);
    if (!rows.length) rows.push(h("li.none", { text: this.recordings.size ? `No name holds “${wanted}”.` : "No recordings yet. Drop files anywhere on this page." }));
    const sameOrder = list.childElementCount === rows.length && [...kept.keys()].join() === [...this.#rows.keys()].join();
    if (!sameOrder) fill(list, ...rows);
    else rows.forEach((row, i) => row !== list.children[i] && list.children[i].replaceWith(row));
    list.setAttribute("aria-label", count(shown.length, "recording"));
  }

  #row(recording) {
    const { id, name, duration, state, created } = recording;
    const done = state === "done";
    const facts = [duration ? clock(duration) : null, created ? day(created) : null].filter(Boolean).join(" · ");
    const open = h(
      "button.open",
      { type: "button", title: name, "aria-current": id === this.current ? "true" : null, on: { click: () => this.emit("open", id) } },
      h("b", { text: name }),
      h("span.facts", {}, h("span", { text: facts }), !done && h(`span.state.${state}`, { text: WORDS[state] ?? state })),
    );
    if (done) open.append(shares(recording));
    else if (state === "failed") open.append(h("span.error", { text: recording.error ?? "It failed.", title: recording.error }));
    else if (state === "running" || state === "queued") open.append(bar(recording.progress ?? 0, doing(recording)));
    return h("li", { "data-id": id }, open, button("trash", `Delete ${name}`, () => this.remove(recording), { class: "quiet remove" }));
  }

  /** Arrow keys go through the list. */
  #step(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const rows = [...this.elements.list.querySelectorAll(".open")];
    const place = rows.indexOf(document.activeElement);
    if (!step || place < 0) return;
    rows[Math.min(Math.max(place + step, 0), rows.length - 1)].focus();
    event.preventDefault();
    event.stopPropagation();
  }

  #showUploads() {
    fill(
      this.elements.uploads,
      ...this.uploads.entries.map((entry) => {
        const failed = entry.state === "failed";
        const told = { waiting: "waits for its turn", stalled: "waits for the server" }[entry.state];
        return h(
          "li",
          {},
          icon("file"),
          h(
            "div",
            {},
            h("b", { text: entry.name, title: entry.name }),
            failed ? h("span.error", { text: entry.error }) : h("span.facts", { text: told ?? `${size(entry.sent)} of ${size(entry.size)}` }),
            !failed && bar(entry.size ? entry.sent / entry.size : 0, `Upload of ${entry.name}`),
          ),
          failed && entry.size > 0 && button("again", `Try ${entry.name} again`, () => this.uploads.retry(entry), { class: "quiet" }),
          button("close", failed ? `Take ${entry.name} off the list` : `Stop the upload of ${entry.name}`, () => this.uploads.remove(entry), { class: "quiet" }),
        );
      }),
    );
  }
}

/** Tell in words what is being done with a recording. */
export function doing({ state, stage, progress }) {
  if (state === "queued") return "Waits for its turn";
  const what = { fetch: "Being fetched", picture: "Being drawn" }[stage] ?? "Being listened to";
  return `${what} · ${Math.round(100 * (progress ?? 0))} %`;
}

/** A bar that tells how far something is. */
export function bar(progress, label) {
  const inner = h("i");
  inner.style.transform = `scaleX(${Math.min(1, progress)})`;
  return h(
    "span.bar",
    { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * progress) },
    inner,
  );
}

/** A strip of a recording's shares; the figures stand in its title. */
function shares({ shares: all }) {
  const names = Object.keys(all ?? {}).filter((label) => !["both", "neither"].includes(label));
  const told = names.map((label) => `${label} ${percent(all[label])}`).join(", ");
  return h(
    "span.shares",
    { role: "img", "aria-label": told, title: told },
    ...names.slice(0, 4).map((label) => {
      const inner = h(`i.lane-${theme.number(label, names)}`);
      inner.style.transform = `scaleX(${all[label]})`;
      return h("span", {}, inner);
    }),
  );
}
