/** What has been corrected, and a model that learns from it. */

import * as api from "./api.js";
import { dialog } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { count, length } from "./format.js";
import { bar } from "./library.js";

/**
 * Show what is collected, and the button that learns from it.
 * @param {import("./events.js").Events} events
 * @param {() => string[]} models names that are taken
 * @param {() => void} learned is called when a model is ready
 */
export function showCorrections(events, models, learned) {
  const body = h("div.corrections", { "aria-live": "polite" }, h("p.empty", { text: "…" }));
  const stop = events.on("job", (job) => job.kind === "fit" && progress(body, job, learned));
  load(body, models).catch((error) => fill(body, h("p.wrong", { text: error.message })));
  return dialog("Your corrections", () => [body]).finally(stop);
}

async function load(body, models) {
  const found = await api.corrections();
  const intro = "Every timeline you correct is kept as an example, beside its sound. A model that learns from them does better on recordings like yours.";
  if (!found.recordings) {
    fill(body, h("p", { text: intro }), h("p.empty", { text: "Nothing is corrected yet. Open a recording, drag an edge, relabel a segment: it counts from the first change." }));
    return;
  }
  const text = "Improve the model with my corrections";
  const begins = button("learn", text, () => begin(body, models()), { text, class: "primary" });
  begins.disabled = !found.ready;
  fill(
    body,
    h("p", { text: intro }),
    h(
      "table.scores",
      {},
      h("caption", { text: `Collected from ${count(found.recordings, "recording")}` }),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "Heard" }), h("th", { scope: "col", text: "Marked" }))),
      h("tbody", {}, ...Object.entries(found.seconds).map(([name, s]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text: length(s) })))),
    ),
    !found.ready && h("p.empty", { text: "Correct two recordings at least, each with two of these in it; then a model can learn from them." }),
    h("div.fit"),
    h("footer", {}, begins),
  );
}

/** The first name that no model has. */
function fresh(taken) {
  for (let i = 1; ; i++) {
    const name = i === 1 ? "corrected" : `corrected-${i}`;
    if (!taken.includes(name)) return name;
  }
}

async function begin(body, taken) {
  const place = body.querySelector(".fit");
  const start = body.querySelector("footer button");
  start.disabled = true;
  fill(place, h("p", { text: "Starting…" }));
  try {
    progress(body, await api.fit(fresh(taken)), () => {});
  } catch (error) {
    start.disabled = false;
    const { command } = error.body;
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
    fill(place, h("p", { text: `The model “${job.model}” has learned from your corrections. Choose it beside “Add files”, or mark a recording again with it.` }));
    learned();
  } else if (job.state === "failed" || job.state === "cancelled") {
    fill(place, h("p.wrong", { text: job.error ?? "It was stopped." }));
    body.querySelector("footer button").disabled = false;
  } else
    fill(
      place,
      h("p", { text: job.state === "queued" ? "Waiting for its turn…" : `Learning “${job.model}”…` }),
      bar(job.progress ?? 0, "Learning from corrections"),
      button(null, "Stop", () => api.cancelJob(job.id), { text: "Stop" }),
    );
}
