/** Which timelines a recording has, and which of them is shown. */

import * as api from "./api.js";
import { confirmed } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { Emitter } from "./emitter.js";
import { complain, say } from "./notices.js";

/** What is edited comes before what was found. */
const preferred = (names) => ["edited", "detected"].find((name) => names.includes(name)) ?? names[0] ?? null;

/** Emits `choosing` when another timeline is going to be shown, `shown` when it is, `names` when there are others. */
export class Timelines extends Emitter {
  recording = null;
  names = [];
  #own = [];

  /**
   * @param {HTMLSelectElement} select
   * @param {import("./marks.js").Marks} marks
   */
  constructor(select, marks) {
    super();
    Object.assign(this, { select, marks });
    this.dropButton = button("trash", "Delete this timeline", () => this.#drop(), { class: "quiet" });
    select.after(this.dropButton);
    select.addEventListener("change", () => this.show(select.value));
    marks.on("renamed", (name) => {
      say(`Your changes are kept as “${name}”; what was detected stays as it was.`);
      this.load(name);
    });
    this.choose(null);
  }

  /** Begin with a recording's timelines, or with none. */
  async open(recording) {
    Object.assign(this, { recording, names: [] });
    this.#own = [];
    this.marks.close();
    this.choose(null);
    if (!recording) return;
    await this.load();
    await this.#best();
  }

  /** Show the one that people see first. */
  #best() {
    return this.show(preferred(this.names));
  }

  /** Show a timeline. */
  async show(name) {
    if (!name || !this.recording) return;
    const { recording } = this;
    this.emit("choosing");
    try {
      await this.marks.open(recording, name);
    } catch (error) {
      complain(error);
    }
    if (this.recording !== recording) return;
    this.choose(this.marks.name);
    this.emit("shown");
  }

  /** Ask which timelines there are. */
  async load(shown) {
    const { recording } = this;
    const found = await api.timelines(recording).catch(() => []);
    if (this.recording !== recording) return;
    this.names = found.map((timeline) => timeline.name);
    this.#own = found.filter((timeline) => timeline.origin === "person").map((timeline) => timeline.name);
    this.choose(shown ?? this.marks.name);
    this.emit("names");
  }

  /** Have a timeline stand as the one that is shown. */
  choose(name) {
    const { select, names } = this;
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
  async told(event) {
    if (event.recording !== this.recording) return;
    const { marks } = this;
    const isNew = !this.names.includes(event.name);
    if (isNew || event.version === null) await this.load();
    if (event.version === null && event.name === marks.name) await this.#best();
    else if (!marks.name && !marks.unsaved) await this.#best();
    else if (isNew && event.name === "edited" && marks.name === "detected" && event.by !== api.CLIENT && !marks.unsaved) {
      await this.show("edited");
      say("Somebody has begun to correct this recording; the corrected timeline is shown.");
    } else marks.told(event);
  }

  /** The server is there again: take up what was missed. */
  async again() {
    if (!this.recording) return;
    await this.load();
    if (this.marks.name) await this.marks.reload().catch(complain);
    else await this.#best();
  }
}
