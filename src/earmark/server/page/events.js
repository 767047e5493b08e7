/** News from the server, and whether it is there. */

import { Emitter } from "./emitter.js";

const KINDS = ["job", "recording", "timeline", "removed"];
const SILENCE_MS = 40_000;

/**
 * Emits what the server tells (`job`, `recording`, `timeline`, `removed`), `hello` when news begin (what happened before
 * must be asked for), `away` and `back`.
 */
export class Events extends Emitter {
  #source = null;
  #away = false;
  #wait = 500;
  #timer = 0;
  #silence = 0;

  open() {
    this.#source?.close();
    clearTimeout(this.#timer);
    const source = new EventSource("/api/events");
    this.#source = source;
    this.#heard();
    source.onerror = () => this.#lost();
    source.addEventListener("hello", () => this.#begun());
    source.addEventListener("ping", () => this.#heard());
    for (const kind of KINDS)
      source.addEventListener(kind, (event) => {
        this.#heard();
        this.emit(kind, JSON.parse(event.data));
      });
  }

  #begun() {
    this.#heard();
    this.#wait = 500;
    if (this.#away) {
      this.#away = false;
      this.emit("back");
    }
    this.emit("hello");
  }

  /** A server that gives no sign of life for long is gone. */
  #heard() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost() {
    this.#source?.close();
    clearTimeout(this.#silence);
    clearTimeout(this.#timer);
    if (!this.#away) {
      this.#away = true;
      this.emit("away");
    }
    this.#timer = setTimeout(() => this.open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, 8000);
  }
}
