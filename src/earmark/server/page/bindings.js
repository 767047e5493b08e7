/** The keys of the page, told in the help and in docs/review.md. */

import { newLabel } from "./picked.js";

const NUDGE_S = 0.01;

/**
 * @param {import("./workspace.js").Workspace} work
 * @param {{library: import("./library.js").Library, help: () => void, theme: () => void, menu: () => void, escape: () => void, search: () => void}} page
 * @returns {import("./keys.js").Binding[]}
 */
export function bindings(work, page) {
  const { view, player, editor, selection } = work;
  const part = (share) => share * view.span;
  const row = (group, keys, text, run) => ({ group, keys, text, run });
  const numbered = (event) => {
    const label = work.marks.shown?.labels[Number(event.key) - 1];
    if (label) work.cursor.label(label);
  };
  const other = async () => {
    if (!work.cursor.segment && !selection.range) return;
    const label = await newLabel();
    if (label) work.cursor.label(label);
  };
  const draw = () => {
    const { range, lane } = selection;
    editor.draw(lane ?? work.marks.shown?.labels[0], range?.start ?? 0, range?.end ?? 0);
  };
  return [
    row("Playback", [" "], "Play, pause", () => player.toggle()),
    row("Playback", ["Enter"], "Play what is picked", () => work.cursor.playPicked()),
    row("Playback", ["F"], "Follow playback", () => work.transport.toggleFollow()),
    row("Cursor", ["ArrowLeft"], "Back a little", () => work.cursor.move(-part(0.02))),
    row("Cursor", ["ArrowRight"], "On a little", () => work.cursor.move(part(0.02))),
    row("Cursor", [","], "Back 10 ms", () => work.cursor.move(-NUDGE_S)),
    row("Cursor", ["."], "On 10 ms", () => work.cursor.move(NUDGE_S)),
    row("Cursor", ["Home"], "To the start", () => work.cursor.move(-Infinity)),
    row("Cursor", ["End"], "To the end", () => work.cursor.move(Infinity)),
    row("Cursor", ["G"], "Jump to a time", () => work.cursor.jump()),
    row("View", ["+", "="], "Zoom in", () => view.zoom(1.6, near(work))),
    row("View", ["-", "_"], "Zoom out", () => view.zoom(1 / 1.6, near(work))),
    row("View", ["0"], "Show all", () => view.fit()),
    row("View", ["Z"], "Zoom to what is picked", () => work.cursor.zoomPicked()),
    row("View", ["Shift+ArrowLeft"], "Move the view back", () => view.pan(-part(0.2))),
    row("View", ["Shift+ArrowRight"], "Move the view on", () => view.pan(part(0.2))),
    row("View", ["PageUp"], "A screen back", () => view.pan(-part(0.9))),
    row("View", ["PageDown"], "A screen on", () => view.pan(part(0.9))),
    row("Segments", ["ArrowDown", "N"], "Next segment", () => work.cursor.step(1)),
    row("Segments", ["ArrowUp", "P"], "Previous segment", () => work.cursor.step(-1)),
    row("Segments", ["X"], "Next disagreement", () => work.cursor.disagreement(1)),
    row("Segments", ["Shift+X"], "Previous disagreement", () => work.cursor.disagreement(-1)),
    row("Segments", ["/"], "Search segments", () => page.search()),
    row("Change", ["I"], "Select from the cursor", () => work.cursor.point("start")),
    row("Change", ["O"], "Select up to the cursor", () => work.cursor.point("end")),
    row("Change", ["D"], "Add a segment there", draw),
    row("Change", ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "Label of that lane", numbered),
    row("Change", ["L"], "New label", other),
    row("Change", ["S"], "Split at the cursor", () => editor.split(work.cursor.segment, player.position)),
    row("Change", ["M"], "Merge with the next", () => editor.merge(work.cursor.segment)),
    row("Change", ["Delete", "Backspace"], "Delete", () => editor.remove(work.cursor.segment)),
    row("Change", ["["], "Start at the cursor", () => editor.setEdge(work.cursor.segment, "start", player.position)),
    row("Change", ["]"], "End at the cursor", () => editor.setEdge(work.cursor.segment, "end", player.position)),
    row("Change", ["Alt+ArrowLeft"], "Start 10 ms earlier", () => work.cursor.nudge("start", -NUDGE_S)),
    row("Change", ["Alt+ArrowRight"], "Start 10 ms later", () => work.cursor.nudge("start", NUDGE_S)),
    row("Change", ["Alt+Shift+ArrowLeft"], "End 10 ms earlier", () => work.cursor.nudge("end", -NUDGE_S)),
    row("Change", ["Alt+Shift+ArrowRight"], "End 10 ms later", () => work.cursor.nudge("end", NUDGE_S)),
    row("Change", ["Ctrl+Z"], "Undo", () => editor.undo()),
    row("Change", ["Ctrl+Shift+Z", "Ctrl+Y"], "Redo", () => editor.redo()),
    row("Page", ["A"], "Add files", () => page.library.pick()),
    row("Page", ["B"], "Show or hide the recordings", () => page.menu()),
    row("Page", ["T"], "Dark or light", () => page.theme()),
    row("Page", ["Escape"], "Give up, clear the selection", () => page.escape()),
    row("Page", ["?"], "These keys", () => page.help()),
  ];
}

/** Zooming by key goes to the cursor while it is in sight. */
function near({ player, view }) {
  const { position } = player;
  return position >= view.start && position <= view.end ? position : undefined;
}
