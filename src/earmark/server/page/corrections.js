/** What has been corrected, and a model that learns from it. */

import * as api from "./api.js";
import { dialog } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { count, length } from "./format.js";
import { bar } from "./library.js";

/**
 * Show what is collected, and the button that learns from it.
 * @param {import("./events.js").Events} events
 * @param {() => void} learned is called when a model is ready
 */
export function showCorrections(events, learned) {
  const body = h("div.corrections", { "aria-live": "polite" }, h("p.empty", { text: "…" }));
  const stop = events.on("job", (job) => job.kind === "fit" && progress(body, job, learned));
  load(body).catch((error) => fill(body, h("p.wrong", { text: error.message })));
  return dialog("Your corrections", () => [body]).finally(stop);
}

async function load(body) {
  const found = await api.corrections();
  const seconds = Object.entries(found.seconds ?? {});
  const intro = "Every timeline you correct is kept as an example, beside its sound. A model that learns from them does better on recordings like yours.";
  if (!found.recordings) {
    fill(body, h("p", { text: intro }), h("p.empty", { text: "Nothing is corrected yet. Open a recording, drag an edge, relabel a segment: it counts from the first change." }));
    return;
  }
  fill(
    body,
    h("p", { text: intro }),
    h(
      "table.scores",
      {},
      h("caption", { text: `Collected from ${count(found.recordings, "recording")}` }),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "Label" }), h("th", { scope: "col", text: "Marked" }))),
      h("tbody", {}, ...seconds.map(([label, s]) => h("tr", {}, h("th", { scope: "row", text: label }), h("td", { text: length(s) })))),
    ),
    h("div.fit"),
    h("footer", {}, button("learn", "Improve the model with my corrections", () => begin(body), { text: "Improve the model with my corrections", class: "primary" })),
  );
}

async function begin(body) {
  const place = body.querySelector(".fit");
  const start = body.querySelector("footer button");
  start.disabled = true;
  fill(place, h("p", { text: "Starting…" }));
  try {
    progress(body, await api.fit("corrected"), () => {});
  } catch (error) {
    start.disabled = false;
    const command = error.body?.command ?? error.message.match(/earmark (?:fit|train)[^`'"]*/)?.[0];
    fill(place, h("p", { text: error.message }), command && h("pre", {}, h("code", { text: command })), command && copier(command));
  }
}

const copier = (command) => {
  const copy = button("copy", "Copy the command", async () => {
    await navigator.clipboard.writeText(command);
    copy.lastChild.textContent = "Copied";
  }, { text: "Copy the command" });
  return copy;
};

function progress(body, job, learned) {
  const place = body.querySelector(".fit");
  if (!place) return;
  if (job.state === "done") {
    fill(place, h("p", { text: `The model “${job.result ?? "corrected"}” has learned from your corrections. Choose it beside “Add files”, or mark a recording again with it.` }));
    learned();
  } else if (job.state === "failed" || job.state === "cancelled") {
    fill(place, h("p.wrong", { text: job.error ?? "It was stopped." }));
    body.querySelector("footer button").disabled = false;
  } else
    fill(
      place,
      h("p", { text: job.stage ?? (job.state === "queued" ? "Waiting for its turn…" : "Learning…") }),
      bar(job.progress ?? 0, "Learning from corrections"),
      button(null, "Stop", () => api.cancelJob(job.id), { text: "Stop" }),
    );
}
