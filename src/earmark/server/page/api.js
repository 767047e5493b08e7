/** The server's paths as functions. */

/** Tells this page's own changes from those of others. */
export const CLIENT = crypto.getRandomValues(new Uint32Array(2)).reduce((text, n) => text + n.toString(36), "");

/** What the server answered instead of what was asked for. */
export class ApiError extends Error {
  /** @param {number} status 0 if there was no answer at all */
  constructor(message, status, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** Whether an error may be gone when the same is asked again: no answer, or a server that is just busy. */
export const passing = (error) => [0, 429, 502, 503, 504].includes(error.status);

let onLogin = async () => {};

/** Say what to do when a token is asked for: `ask` ends once somebody has logged in. */
export function whenTokenIsAsked(ask) {
  onLogin = ask;
}

async function request(path, { method = "GET", json, body, headers = {}, signal } = {}) {
  const sent = { ...headers, "X-Client": CLIENT };
  if (method !== "GET") sent["X-Earmark"] = "1";
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: json === undefined ? body : JSON.stringify(json), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", 0);
  }
  if (response.status === 401 && path !== "/api/login") {
    await onLogin();
    return request(path, { method, json, body, headers, signal });
  }
  if (!response.ok) {
    let told = {};
    try {
      told = await response.json();
    } catch {
      // Not every error has a body of ours.
    }
    throw new ApiError(told.error ?? `The server answered ${response.status}.`, response.status, told);
  }
  return response;
}

const read = async (path, options) => {
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
};
const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined)).toString();
const at = (recording, rest = "") => `/api/recordings/${encodeURIComponent(recording)}${rest}`;
const timelineAt = (recording, name, rest = "") => at(recording, `/timelines/${encodeURIComponent(name)}${rest}`);

/** Headers come as one letter a byte. */
const utf8 = (header) => new TextDecoder().decode(Uint8Array.from(header, (letter) => letter.charCodeAt(0)));

async function bytes(path, signal) {
  const response = await request(path, { signal });
  const number = (name) => (response.headers.has(name) ? Number(response.headers.get(name)) : null);
  return {
    data: await response.arrayBuffer(),
    start: number("X-Start"),
    end: number("X-End"),
    bins: number("X-Bins"),
    complete: response.headers.get("X-Complete") !== "0",
    labels: utf8(response.headers.get("X-Labels") ?? "").split(","),
  };
}

export const login = (token) => request("/api/login", { method: "POST", json: { token } });
export const status = () => read("/api/status");

export const recordings = () => read("/api/recordings?limit=10000");
export const recording = (id) => read(at(id));
export const removeRecording = (id) => request(at(id), { method: "DELETE" });
export const addFromFolder = (path, model) => read("/api/recordings", { method: "POST", json: { path, model } });
export const addFromUrl = (url, model) => read("/api/recordings", { method: "POST", json: { url, model } });
export const folder = (path) => read(`/api/folder?${query({ path })}`);
export const cancelJob = (id) => request(`/api/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
export const detect = (id, model) => read(at(id, "/jobs"), { method: "POST", json: { kind: "detect", model } });

export const startUpload = (name, size) => read("/api/uploads", { method: "POST", json: { name, size } });
export const uploadState = (upload) => read(`/api/uploads/${encodeURIComponent(upload)}`);
export const dropUpload = (upload) => request(`/api/uploads/${encodeURIComponent(upload)}`, { method: "DELETE" });
export const sendChunk = (upload, offset, body, signal) =>
  read(`/api/uploads/${encodeURIComponent(upload)}?${query({ offset })}`, { method: "PUT", body, signal });
export const endUpload = (upload, model) =>
  read(`/api/uploads/${encodeURIComponent(upload)}/done`, { method: "POST", json: { model } });

export const peaks = (id, start, end, bins, signal) => bytes(at(id, `/peaks?${query({ start, end, bins })}`), signal);
export const spectrogram = (id, level, tile, signal) => bytes(at(id, `/spectrogram/${level}/${tile}`), signal);
export const posteriors = (id, start, end, bins, model, signal) =>
  bytes(at(id, `/posteriors?${query({ start, end, bins, model })}`), signal);
export const audio = async (id, start, duration, signal) =>
  (await request(at(id, `/audio?${query({ start, duration })}`), { signal })).arrayBuffer();

export const timelines = (id) => read(at(id, "/timelines"));
export const timeline = (id, name) => read(timelineAt(id, name), { headers: { Accept: "application/json" } });
export const putTimeline = (id, name, body, format, version) =>
  read(timelineAt(id, name, `?${query({ format })}`), { method: "PUT", body, headers: version ? { "If-Match": String(version) } : {} });
export const removeTimeline = (id, name) => request(timelineAt(id, name), { method: "DELETE" });
export const edit = (id, name, change) => read(timelineAt(id, name, "/edits"), { method: "POST", json: change });
export const exportPath = (id, name, format) => timelineAt(id, name, `?${query({ format })}`);

export const decodeOptions = (id, model) => read(at(id, `/decode?${query({ model })}`));
export const decode = (id, model, options, save) =>
  read(at(id, "/decode"), { method: "POST", json: { model, options, save } });
export const score = (id, reference, estimate) => read(at(id, `/score?${query({ reference, estimate })}`));

export const corrections = () => read("/api/corrections");
export const adapt = (name) => read("/api/corrections/adapt", { method: "POST", json: name ? { name } : {} });
