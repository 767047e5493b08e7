/** The page: its parts put together, and the server's news passed on to them. */

import * as api from "./api.js";
import { bindings } from "./bindings.js";
import { showCorrections } from "./corrections.js";
import { keyHelp, loggedIn } from "./dialogs.js";
import { byId, button, fill } from "./dom.js";
import { Events } from "./events.js";
import { Keys } from "./keys.js";
import { Library } from "./library.js";
import { banner, complain, notice, say } from "./notices.js";
import { Tabs } from "./tabs.js";
import { theme } from "./theme.js";
import { Workspace } from "./workspace.js";

const NARROW = matchMedia("(max-width: 820px)");
/** So long is waited for the first word of the server's news before the page is filled. */
const HELLO_MS = 1000;

const events = new Events();
const work = new Workspace();
const library = new Library({
  list: byId("recordings"),
  uploads: byId("uploads"),
  search: byId("recording-search"),
  model: byId("model"),
  add: byId("add"),
});
const tabs = new Tabs(byId("tabs"));

/** The place of the page: which recording, and which span of it. */
function placeNow() {
  const found = location.hash.match(/^#([0-9a-f]+)(?:@([\d.]+)\+([\d.]+))?$/);
  if (!found) return { id: null, place: null };
  return { id: found[1], place: found[2] ? { start: Number(found[2]), span: Number(found[3]) } : null };
}

function keepPlace() {
  const { recording, view, data } = work;
  if (!recording) return;
  const whole = !data || view.span >= view.duration;
  const hash = `#${recording.id}${whole ? "" : `@${view.start.toFixed(3)}+${view.span.toFixed(3)}`}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

function menu(open) {
  document.body.classList.toggle("library-open", open);
  document.body.classList.toggle("library-shut", !open);
  byId("menu").setAttribute("aria-expanded", open);
}

const toggleMenu = () => menu(getComputedStyle(byId("library")).visibility === "hidden");

async function open(id, place = null) {
  const recording = library.recordings.get(id);
  if (!recording) return;
  byId("welcome").hidden = true;
  byId("workspace").hidden = byId("inspector").hidden = false;
  document.title = `${recording.name} – earmark`;
  library.mark(id);
  if (NARROW.matches) menu(false);
  if (document.activeElement === document.body || document.activeElement?.closest("#library, #welcome"))
    byId("stage").focus({ preventScroll: true });
  await work.open(recording, place).catch(complain);
  keepPlace();
}

function shut() {
  work.close();
  library.mark(null);
  byId("workspace").hidden = byId("inspector").hidden = true;
  byId("welcome").hidden = false;
  document.title = "earmark";
  history.replaceState(null, "", location.pathname);
}

async function configure() {
  const status = await api.status();
  library.configure(status);
  work.configure(status);
  work.againMenu();
  fill(byId("welcome-ways"), ...library.ways(true));
  byId("version").textContent = `earmark ${status.version}`;
}

/** Ask for everything again: what happened before the news began nobody has told. */
async function takeUp() {
  await configure();
  await library.refresh();
  if (work.recording && !library.recordings.has(work.recording.id)) shut();
  else if (work.recording) {
    work.told(library.recordings.get(work.recording.id));
    await work.again();
  }
}

/** A model that has learned from corrections can be chosen from now on. */
function learned({ model, result }) {
  if (!result.made) return;
  say(`The model ${model} has learned from your corrections.`);
  configure().catch(complain);
}

function connect() {
  events.on("recording", (recording) => library.told(recording));
  events.on("job", (job) => {
    library.job(job);
    if (job.kind === "adapt" && job.state === "done") learned(job);
  });
  events.on("removed", ({ recording }) => library.forget(recording));
  events.on("timeline", (event) => work.timeline(event).catch(complain));
  events.on("away", () => banner("The server is away. What you change is kept here and saved when it is back."));
  events.on("back", () => {
    banner(null);
    say("The server is back.");
  });
  library.on("open", (id) => open(id));
  library.on("change", (recording) => {
    if (recording.id === work.recording?.id) work.told(recording);
  });
  library.on("removed", (id) => {
    if (id !== work.recording?.id) return;
    notice("The recording that was open here has been deleted.");
    shut();
  });
  work.on("place", keepPlace);
  addEventListener("hashchange", () => {
    const { id, place } = placeNow();
    if (id && id !== work.recording?.id) open(id, place);
    else if (place) work.view.show(place.start, place.span);
  });
  addEventListener("beforeunload", (event) => work.marks.unsaved && event.preventDefault());
}

/** Files can be dropped anywhere. */
function drops() {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  const shade = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragenter", (event) => carries(event) && shade((inside += 1) > 0));
  addEventListener("dragleave", (event) => carries(event) && shade((inside -= 1) > 0));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    shade(false);
    inside = 0;
    library.send([...event.dataTransfer.files]);
  });
}

function toolbar(keys) {
  const help = () => keyHelp(keys.rows, { on: keys.single, set: (on) => (keys.single = on) });
  byId("tools").append(
    button("learn", "Your corrections", () => showCorrections(events), { text: "Corrections" }),
    button("sun", "Dark or light", () => theme.toggle(), { key: "T", class: "quiet" }),
    button("help", "Keys", help, { key: "?", class: "quiet" }),
  );
  return help;
}

async function start() {
  api.whenTokenIsAsked(() => loggedIn(api.login));
  const page = {
    library,
    theme: () => theme.toggle(),
    menu: toggleMenu,
    escape: () => work.stage.abandon() || work.selection.clear(),
    search: () => {
      tabs.show("segments");
      byId("segment-search").focus();
    },
    help: () => help(),
  };
  // After a click on it, a button does not keep the space bar for itself.
  byId("workspace").addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) byId("stage").focus({ preventScroll: true });
  });
  const keys = new Keys(bindings(work, page));
  const help = toolbar(keys);
  byId("menu").append(button("menu", "", () => {}).firstChild);
  byId("menu").addEventListener("click", toggleMenu);
  byId("scrim").addEventListener("click", () => menu(false));
  connect();
  drops();
  await configure();
  const told = new Promise((resolve) => events.on("hello", resolve));
  events.open();
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, HELLO_MS))]);
  events.on("hello", () => takeUp().catch(complain));
  await library.refresh();
  document.body.classList.add("ready");
  const { id, place } = placeNow();
  if (library.recordings.has(id)) await open(id, place);
  else if (NARROW.matches && library.recordings.size) menu(true);
}

start().catch((error) => {
  banner(`${error.message} Load the page again when it is there.`);
});
