/** Elements, made without HTML: whatever a file is called, it stays text. */

import { PATHS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag e.g. "button", or with classes: "button.primary"
 * @param {object} [props] attributes; `on` holds listeners by event, `text` the text; null leaves one out, as does false where it is no word for screen readers
 * @param {...(Node|string|null|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("aria-")) element.setAttribute(key, String(value));
    else if (value === false) continue;
    else if (key === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (key === "text") element.textContent = value;
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** Whether fingers are what this page is used with: one of them moves the view, and draws nothing. */
export const byFinger = () => matchMedia("(pointer: coarse)").matches;

/** Return the element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** Put other children into an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/**
 * Make an icon; it is hidden from screen readers, the button tells its own name.
 * @param {string} name a key of PATHS
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Make a button with an icon, and a text unless it is left out.
 * @param {string} name of the icon
 * @param {string} label what it does
 * @param {() => void} action
 * @param {{text?: string, key?: string, class?: string}} [more]
 */
export function button(name, label, action, more = {}) {
  const title = more.key ? `${label} (${more.key})` : label;
  const element = h("button", {
    type: "button",
    title,
    "aria-label": more.text ? null : label,
    "aria-keyshortcuts": more.shortcut ?? null,
    on: { click: action },
  });
  if (more.class) element.classList.add(...more.class.split(" "));
  if (name) element.append(icon(name));
  if (more.text) element.append(h("span", { text: more.text }));
  return element;
}

/** Whether keys typed now belong to a field, not to the page. */
export function typing(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/**
 * Call a function once things have been quiet for a while.
 * @param {number} wait milliseconds
 */
export function debounce(wait, action) {
  let timer = 0;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
