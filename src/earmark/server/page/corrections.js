/** What has been corrected, and a model that learns from it. */

import * as api from "./api.js";
import { dialog } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { count, length, percent } from "./format.js";
import { bar } from "./library.js";

const INTRO = "Every timeline you correct is kept as an example, beside its sound. A model that learns from them does better on recordings like yours.";
const NONE = "Nothing is corrected yet. Open a recording, drag an edge, relabel a segment: it counts from the first change.";
const FEW = "Correct two recordings at least, each with two of these in it; then a model can learn from them.";
const ACTIVE = ["queued", "running"];

/**
 * Show what is collected, the button that learns from it, and how far that is.
 * @param {import("./events.js").Events} events
 */
export function showCorrections(events) {
  const body = h("div.corrections", { "aria-live": "polite" }, h("p.empty", { text: "…" }));
  const stop = events.on("job", (job) => job.kind === "fit" && progress(body, job));
  load(body).catch((error) => fill(body, h("p.wrong", { text: error.message })));
  return dialog("Your corrections", () => [body]).finally(stop);
}

async function load(body) {
  const found = await api.corrections();
  if (!found.recordings) {
    fill(body, h("p", { text: INTRO }), h("p.empty", { text: NONE }));
    return;
  }
  const name = h("input", { id: "model-name", placeholder: "numbered if left empty", maxlength: 48, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", title: "Letters, digits, dots and dashes", autocomplete: "off", spellcheck: "false" });
  const submit = (event) => {
    event.preventDefault();
    begin(body, name.value);
  };
  const start = h("button.primary", { type: "submit", text: "Improve the model with my corrections" });
  start.disabled = !found.ready;
  fill(
    body,
    h("p", { text: INTRO }),
    h(
      "table.scores",
      {},
      h("caption", { text: `Collected from ${count(found.recordings, "recording")}` }),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "Heard" }), h("th", { scope: "col", text: "Marked" }))),
      h("tbody", {}, ...Object.entries(found.seconds).map(([label, s]) => h("tr", {}, h("th", { scope: "row", text: label }), h("td", { text: length(s) })))),
    ),
    !found.ready && h("p.empty", { text: FEW }),
    h("div.fit"),
    h("form", { on: { submit } }, h("label", { for: "model-name", text: "Name of the new model" }), name, h("footer", {}, start)),
  );
  if (found.job) progress(body, found.job);
}

async function begin(body, name) {
  const place = body.querySelector(".fit");
  const start = body.querySelector("form button");
  start.disabled = true;
  fill(place, h("p", { text: "Starting…" }));
  try {
    progress(body, await api.fit(name.trim()));
  } catch (error) {
    start.disabled = false;
    const { command } = error.body ?? {};
    fill(place, h("p.wrong", { text: error.message }), command && h("pre", {}, h("code", { text: command })), command && copier(command));
  }
}

const copier = (command) => {
  const copy = button("copy", "Copy the command", async () => {
    await navigator.clipboard.writeText(command);
    copy.lastChild.textContent = "Copied";
  }, { text: "Copy the command" });
  return copy;
};

function progress(body, job) {
  const place = body.querySelector(".fit");
  if (!place) return;
  if (ACTIVE.includes(job.state)) {
    body.querySelector("form button").disabled = true;
    const text = job.state === "queued" ? `“${job.model}” waits for its turn…` : `Learning “${job.model}”: ${job.stage ?? "getting ready"}…`;
    fill(place, h("p", { text }), bar(job.progress ?? 0, "Learning from corrections"), button(null, "Stop", () => api.cancelJob(job.id), { text: "Stop" }));
  } else if (job.state === "done") {
    fill(place, ...learned(job));
    body.querySelector("form button").disabled = false;
  } else {
    fill(place, h("p.wrong", { text: job.error ?? `“${job.model}” was stopped.` }));
    body.querySelector("form button").disabled = false;
  }
}

/** What came of learning: how right the model is where it has not learned, and what is to be known of it. */
function learned({ model, result }) {
  const { accuracy, classes = [], notes = [] } = result ?? {};
  return [
    h("p", { text: `The model “${model}” has learned ${classes.join(", ") || "from your corrections"}. Choose it beside “Add files”, or mark a recording again with it.` }),
    accuracy && h("p", { text: `In recordings that it had not learned from it was right in ${percent(accuracy.value)} of cases (95 % interval: ${percent(accuracy.low)} to ${percent(accuracy.high)}).` }),
    ...notes.map((note) => h("p.hint", { text: note })),
  ];
}
