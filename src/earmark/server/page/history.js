/** What can be undone and done again. */

/** @typedef {{remove: import("./track.js").Segment[], add: import("./track.js").Segment[]}} Edit */

const LONGEST = 500;

export class History {
  #done = [];
  #undone = [];

  /** Keep an edit; what had been undone is forgotten. */
  push(edit, name) {
    this.#done.push({ edit, name });
    if (this.#done.length > LONGEST) this.#done.shift();
    this.#undone = [];
  }

  /** Take back the newest edit: returns {edit, name}, the edit turned round, or null. */
  undo() {
    const entry = this.#done.pop();
    if (!entry) return null;
    this.#undone.push(entry);
    return { edit: { remove: entry.edit.add, add: entry.edit.remove }, name: entry.name };
  }

  /** Do again what was undone last: returns {edit, name} or null. */
  redo() {
    const entry = this.#undone.pop();
    if (!entry) return null;
    this.#done.push(entry);
    return entry;
  }

  /** Forget an edit that the server refused. */
  drop(edit) {
    const others = (entry) => entry.edit !== edit && entry.edit.add !== edit.remove;
    this.#done = this.#done.filter(others);
    this.#undone = this.#undone.filter(others);
  }

  clear() {
    this.#done = [];
    this.#undone = [];
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }
}
