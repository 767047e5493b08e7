/** The keyboard: which key does what. */

import { typing } from "./dom.js";

const KEPT = "single-keys";
const SHOWN = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Escape: "Esc", Delete: "Del", Backspace: "⌫", PageUp: "PgUp", PageDown: "PgDn" };

/** @typedef {{keys: string[], group: string, text: string, run: (event: KeyboardEvent) => void}} Binding */

/** Return what a key event is called in bindings: "Shift+X", "Ctrl+Z", "?"; Cmd counts as Ctrl. */
function called(event) {
  const letter = /^[a-z]$/i.test(event.key);
  const key = letter ? event.key.toUpperCase() : event.key;
  const named = event.key.length > 1 || event.key === " ";
  const shift = event.shiftKey && (letter || named);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

export class Keys {
  #bound = new Map();

  /** @param {Binding[]} bindings */
  constructor(bindings) {
    this.bindings = bindings;
    for (const binding of bindings) for (const key of binding.keys) this.#bound.set(key, binding);
    addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Whether keys without Ctrl or Alt act. */
  get single() {
    return localStorage.getItem(KEPT) !== "off";
  }

  set single(on) {
    localStorage.setItem(KEPT, on ? "on" : "off");
  }

  /** The rows of the help. */
  get rows() {
    const shown = (key) => key.split("+").map((part) => SHOWN[part] ?? part).join("+");
    return this.bindings.map(({ keys, group, text }) => {
      const few = keys.length > 3 ? [keys[0], keys.at(-1)] : keys;
      return { group, text, keys: few.map((key) => (key === "+" ? key : shown(key))), joint: few === keys ? "or" : "to" };
    });
  }

  #pressed(event) {
    if (event.defaultPrevented || event.isComposing || typing(event)) return;
    const binding = this.#bound.get(called(event));
    if (!binding) return;
    const plain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
    const onControl = event.target.closest?.("button, a, summary, input, [role=tab]");
    if (plain && event.key !== " " && event.key !== "?" && !this.single) return;
    if (onControl && (event.key === " " || event.key === "Enter")) return;
    if (event.target.closest?.("[role=tab]") && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    binding.run(event);
  }
}
