/** The bar below the lanes: playback, position, undo, selection, zoom; and what stands in the top line beside it. */

import { byId, button, h } from "./dom.js";
import { clock, length } from "./format.js";

/** What playback leaves of the view before it, as a share. */
const MARGIN = 0.06;

export class Transport {
  follow = true;

  /** @param {import("./workspace.js").Workspace} work */
  constructor(work) {
    const { view, player, marks, editor, tune } = work;
    Object.assign(this, { view, player, marks, overview: work.overview });
    this.play = this.#playButton(false);
    this.undo = button("undo", "Undo", () => editor.undo(), { key: "Ctrl+Z" });
    this.redo = button("redo", "Redo", () => editor.redo(), { key: "Ctrl+Shift+Z" });
    this.following = button("follow", "Follow playback", () => this.toggleFollow(), { key: "F" });
    this.following.setAttribute("aria-pressed", true);
    byId("play-buttons").append(
      button("previous", "Previous segment", () => work.cursor.step(-1), { key: "↑" }),
      this.play,
      button("next", "Next segment", () => work.cursor.step(1), { key: "↓" }),
    );
    byId("edit-buttons").append(
      this.undo,
      this.redo,
      h("span.divider"),
      button(null, "Select from the cursor", () => work.cursor.point("start"), { text: "In", key: "I" }),
      button(null, "Select up to the cursor", () => work.cursor.point("end"), { text: "Out", key: "O" }),
    );
    byId("zoom-buttons").append(
      this.following,
      button("zoomOut", "Zoom out", () => view.zoom(1 / 1.6), { key: "−" }),
      button("zoomIn", "Zoom in", () => view.zoom(1.6), { key: "+" }),
      button("zoomTo", "Zoom to what is picked", () => work.cursor.zoomPicked(), { key: "Z" }),
      button("fit", "Show all", () => view.fit(), { key: "0" }),
    );
    byId("preview").append(
      h("span", { text: "Preview, not saved" }),
      button(null, "Keep", () => tune.keep(), { text: "Keep…" }),
      button(null, "Discard", () => tune.discard(), { text: "Discard" }),
    );
    byId("position").addEventListener("click", () => work.cursor.jump());
    player.on("time", (time) => this.#at(time));
    player.on("state", () => this.play.replaceWith((this.play = this.#playButton(player.playing))));
    view.on("change", () => this.#span());
    marks.on("change", () => this.#history());
    marks.on("state", () => this.#saved());
    this.#at(0);
    this.#history();
  }

  toggleFollow() {
    this.follow = !this.follow;
    this.following.setAttribute("aria-pressed", this.follow);
  }

  #playButton(playing) {
    return button(playing ? "pause" : "play", playing ? "Pause" : "Play", () => this.player.toggle(), { key: "Space", class: "primary round" });
  }

  #at(time) {
    const { view } = this;
    byId("position").textContent = clock(time, 2);
    this.overview.at(time);
    if (this.player.playing && this.follow && (time > view.end - MARGIN * view.span || time < view.start))
      view.show(time - MARGIN * view.span, view.span);
  }

  #span() {
    const text = length(this.view.span);
    if (byId("span").textContent !== text) byId("span").textContent = text;
  }

  #history() {
    const { history, preview } = this.marks;
    this.undo.disabled = Boolean(preview) || !history.canUndo;
    this.redo.disabled = Boolean(preview) || !history.canRedo;
    byId("preview").hidden = !preview;
  }

  #saved() {
    const { unsaved, recording, version, name } = this.marks;
    byId("saved").textContent = !recording ? "" : unsaved ? "Saving…" : version > 1 || name === "edited" ? "Saved" : "";
    this.#history();
  }
}
