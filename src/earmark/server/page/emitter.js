/** Something others can listen to. */
export class Emitter {
  #listeners = new Map();

  /**
   * Call `listener` whenever `type` happens.
   * @param {string} type
   * @param {(value: any) => void} listener
   * @returns {() => void} stops it
   */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  /** Tell all listeners of `type`. */
  emit(type, value) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(value);
  }
}
