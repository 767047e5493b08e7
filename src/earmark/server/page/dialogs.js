/** Dialogs: one question each. */

import { button, byId, fill, h } from "./dom.js";

/**
 * Show a dialog; its promise holds what `close` was given, or null after Escape.
 * @param {string} title
 * @param {(close: (value: any) => void) => Node[]} content
 * @param {{class?: string, closable?: boolean}} [more]
 */
export function dialog(title, content, more = {}) {
  return new Promise((resolve) => {
    // What follows is done at once: the event `close` comes only after the next key.
    const close = (value = null) => {
      box.close();
      box.remove();
      resolve(value);
    };
    const box = h("dialog", { "aria-labelledby": "dialog-title" });
    if (more.class) box.classList.add(more.class);
    const heading = h("header", {}, h("h2", { id: "dialog-title", text: title }));
    if (more.closable !== false) heading.append(button("close", "Close", () => close(), { class: "quiet" }));
    box.append(heading, ...content(close));
    box.addEventListener("cancel", (event) => more.closable === false && event.preventDefault());
    box.addEventListener("close", () => close());
    if (more.closable !== false)
      box.addEventListener("pointerdown", (event) => event.target === box && close());
    document.body.append(box);
    box.showModal();
    box.querySelector("[autofocus]")?.select();
  });
}

/** Ask before something that cannot be undone. */
export const confirmed = (title, text, action) =>
  dialog(title, (close) => [
    h("p", { text }),
    h("footer", {}, button(null, "Cancel", () => close(false), { text: "Cancel" }), button(null, action, () => close(true), { text: action, class: "danger" })),
  ]);

/**
 * Ask for a line of text.
 * @param {{label: string, value?: string, hint?: string, action: string, type?: string, check?: (text: string) => string|null}} field
 *   `check` returns what is wrong
 */
export function asked(title, { label, value = "", hint, action, type = "text", check = () => null }) {
  return dialog(title, (close) => {
    const input = h("input", { id: "asked", type, value, autofocus: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "asked-hint" });
    const told = h("p.hint", { id: "asked-hint", text: hint ?? "" });
    const form = h(
      "form",
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            const wrong = check(input.value);
            if (!wrong) return close(input.value);
            fill(told, wrong);
            told.classList.add("wrong");
            return input.select();
          },
        },
      },
      h("label", { for: "asked", text: label }),
      input,
      told,
      h("footer", {}, button(null, "Cancel", () => close(), { text: "Cancel" }), h("button.primary", { type: "submit", text: action })),
    );
    return [form];
  });
}

let loggingIn = null;

/** Ask for the token until the server takes it. */
export function loggedIn(login) {
  loggingIn ??= dialog(
    "This server asks for its token",
    (close) => {
      const input = h("input", { id: "token", type: "password", autocomplete: "current-password", autofocus: true, required: true });
      const told = h("p.hint", { role: "alert", text: "It was given to `earmark serve` with --token or EARMARK_TOKEN." });
      const submit = async (event) => {
        event.preventDefault();
        try {
          await login(input.value);
          close(true);
        } catch (error) {
          fill(told, error.status === 401 || error.status === 403 ? "This is not the token. Try again." : error.message);
          told.classList.add("wrong");
          input.select();
        }
      };
      return [
        h("form", { on: { submit } }, h("label", { for: "token", text: "Token" }), input, told, h("footer", {}, h("button.primary", { type: "submit", text: "Log in" }))),
      ];
    },
    { closable: false },
  ).finally(() => (loggingIn = null));
  return loggingIn;
}

/**
 * The keys, as they are bound.
 * @param {{group: string, keys: string[], joint: string, text: string}[]} rows
 * @param {{on: boolean, set: (on: boolean) => void}} single whether keys without Ctrl or Alt act
 */
export function keyHelp(rows, single) {
  const groups = [...new Set(rows.map((row) => row.group))];
  const table = (group) =>
    h(
      "section",
      {},
      h("h3", { text: group }),
      h(
        "dl",
        {},
        ...rows
          .filter((row) => row.group === group)
          .flatMap((row) => [h("dt", {}, ...keycaps(row)), h("dd", { text: row.text })]),
      ),
    );
  const box = h("input", { type: "checkbox", id: "single-keys", on: { change: () => single.set(box.checked) } });
  box.checked = single.on;
  return dialog("Keys", () => [h("div.keys", {}, ...groups.map(table)), h("footer", {}, box, h("label", { for: "single-keys", text: "Keys without Ctrl or Alt act" }))], { class: "wide" });
}

function keycaps({ keys, joint }) {
  return keys.flatMap((key, i) => [i > 0 && ` ${joint} `, h("kbd", { text: key })]).filter(Boolean);
}

/** The place where a file is chosen. */
export function pickFiles(multiple, accept = "") {
  return new Promise((resolve) => {
    const input = byId("file-input");
    input.multiple = multiple;
    input.accept = accept;
    input.value = "";
    input.onchange = () => resolve([...input.files]);
    input.click();
  });
}
