/** Messages: said to screen readers, shown for a while, or kept until something is done. */

import { byId, button, fill, h } from "./dom.js";

const SHOWN_MS = 6000;

/** Say something to screen readers, and in the status line. */
export function say(message) {
  byId("said").textContent = "";
  byId("said").textContent = message;
  byId("status-line").textContent = message;
}

/**
 * Show a message in the corner.
 * @param {string} message
 * @param {{kind?: "error", actions?: Record<string, () => void>}} [more] with actions it stays until one is chosen
 */
export function notice(message, { kind, actions } = {}) {
  const close = () => box.remove();
  const box = h(
    `div.notice${kind ? `.${kind}` : ""}`,
    { role: kind === "error" ? "alert" : "status" },
    h("p", { text: message }),
    h(
      "div.actions",
      {},
      ...Object.entries(actions ?? {}).map(([text, act]) =>
        button(null, text, () => {
          close();
          act();
        }, { text, class: "plain" }),
      ),
      button("close", "Close this message", close, { class: "quiet" }),
    ),
  );
  byId("notices").append(box);
  while (byId("notices").childElementCount > 4) byId("notices").firstElementChild.remove();
  if (!actions && kind !== "error") setTimeout(close, SHOWN_MS);
}

/** Tell of an error in the one line the server or the browser gave. */
export const complain = (error) => {
  if (error.name !== "AbortError") notice(error.message, { kind: "error" });
};

/** Show a line over the whole page, or take it away with null. */
export function banner(message) {
  byId("banner").hidden = message === null;
  fill(byId("banner"), message ?? "");
}
