/** What has been corrected, and a model that learns from it. */

import * as api from "./api.js";
import { dialog } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { count, length } from "./format.js";

const INTRO = "Every timeline you correct is kept as an example, beside its sound. The model can learn from them, to do better on recordings like yours.";
const NONE = "Nothing is corrected yet. Open a recording, drag an edge, relabel a segment: it counts from the first change.";
const ONE = "From one recording the model can learn, but nothing can be measured. Correct a second one, and you will be told what is gained.";
const NOTHING = "Nothing was gained, and no model was made: on recordings it had not learned from, the model was best as it is. Correct more recordings, then try again.";
/** A difference of F that is seen in the table. */
const SEEN = 0.0005;
const ACTIVE = ["queued", "running"];

/**
 * Show what is collected, the button that learns from it, and how far that is.
 * @param {import("./events.js").Events} events
 */
export function showCorrections(events) {
  const body = h("div.corrections", { "aria-live": "polite" }, h("p.empty", { text: "…" }));
  const stop = events.on("job", (job) => job.kind === "adapt" && progress(body, job));
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
  const marked = Object.entries(found.seconds).map(([label, s]) => [label, s ? length(s) : "none"]);
  fill(
    body,
    h("p", { text: INTRO }),
    table(`From ${count(found.recordings, "recording")}`, ["Label", "Marked"], marked),
    found.recordings === 1 && h("p.hint", { text: ONE }),
    h("div.learning"),
    h("form", { on: { submit } }, h("label", { for: "model-name", text: "Name of the new model" }), name, h("footer", {}, start)),
  );
  if (found.job) progress(body, found.job);
}

const table = (caption, heads, rows) =>
  h(
    "table.scores",
    {},
    h("caption", { text: caption }),
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...rows.map(([label, ...cells]) => h("tr", {}, h("th", { scope: "row", text: label }), ...cells.map((text) => h("td", { text }))))),
  );

async function begin(body, name) {
  const place = body.querySelector(".learning");
  const start = body.querySelector("form button");
  start.disabled = true;
  fill(place, h("p", { text: "Starting…" }));
  try {
    progress(body, await api.adapt(name.trim()));
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
  const place = body.querySelector(".learning");
  if (!place) return;
  body.querySelector("form button").disabled = ACTIVE.includes(job.state);
  if (ACTIVE.includes(job.state)) {
    const text = job.state === "queued" ? `“${job.model}” waits for its turn…` : `Learning “${job.model}”: ${job.stage ?? "getting ready"}…`;
    fill(place, h("p", { text }), h("span.bar.busy", { role: "progressbar", "aria-label": "Learning from corrections" }, h("i")), button(null, "Stop", () => api.cancelJob(job.id), { text: "Stop" }));
  } else if (job.state === "done") fill(place, ...learned(job));
  else fill(place, h("p.wrong", { text: job.error ?? `“${job.model}” was stopped.` }));
}

/** What came of learning: whether there is a new model, and what it gains on recordings that it had not learned from. */
function learned({ model, result }) {
  const { made, before, after, left_out: out, notes } = result;
  const measured = Object.entries(after).map(([label, f]) => [label, figure(before[label]), figure(f)]);
  const told = made ? `The model “${model}” is made. Choose it beside “Add files”, or mark a recording again with it.` : NOTHING;
  return [
    h("p", { text: told }),
    made && !measured.length && h("p", { text: "What is gained could not be measured." }),
    made && measured.length > 0 && h("p", { text: `On recordings it had not learned from it is ${gain(before, after)}.` }),
    made && measured.length > 0 && table("Right and complete: F in per cent", ["Label", "Before", "After"], measured),
    out > 0 && h("p.hint", { text: `${count(out, "recording")} could not be used.` }),
    ...notes.map((note) => h("p.hint", { text: `${note[0].toUpperCase()}${note.slice(1)}.` })),
  ];
}

/** In words, at which labels a model is better or worse than before; those that are new were not heard at all. */
function gain(before, after) {
  const which = (holds) => Object.keys(after).filter((label) => label in before && holds(after[label] - before[label]));
  const [better, worse] = [which((by) => by > SEEN), which((by) => by < -SEEN)];
  const told = [better.length && `better at ${list(better)}`, worse.length && `worse at ${list(worse)}`].filter(Boolean);
  return told.join(", but ") || "as good as before";
}

const list = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0]);

const figure = (f) => (f === undefined ? "–" : (100 * f).toFixed(1));
