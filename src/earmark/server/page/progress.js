/** How far the recording that is open is, or why it failed. */

import * as api from "./api.js";
import { byId, button, fill, h } from "./dom.js";
import { bar, doing } from "./library.js";
import { complain } from "./notices.js";

/** Show the state of a recording; nothing once it is done. */
export function showProgress(recording) {
  const { state, progress, error } = recording;
  const box = byId("progress");
  const working = state === "running" || state === "queued";
  const ended = state === "failed" || state === "cancelled";
  box.hidden = !working && !ended;
  box.classList.toggle("failed", ended);
  if (working) {
    const text = doing(recording);
    fill(box, h("span", { text }), bar(progress ?? 0, text), button(null, "Stop", () => stop(recording.id), { text: "Stop" }));
  } else if (ended) {
    const text = state === "failed" ? (error ?? "It failed.") : "It was stopped.";
    const again = () => api.detect(recording.id, recording.model).catch(complain);
    fill(box, h("span.wrong", { role: "alert", text }), button("again", "Try again", again, { text: "Try again" }));
  }
}

async function stop(id) {
  try {
    const { jobs } = await api.recording(id);
    const working = jobs.filter((job) => ["queued", "running"].includes(job.state));
    for (const job of working) await api.cancelJob(job.id);
  } catch (error) {
    complain(error);
  }
}
