/** The folder on the server's side, in a dialog. */

import * as api from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { dialog } from "./dialogs.js";
import { count, size } from "./format.js";

/** Let files of the server's folder be chosen; returns their paths, or null. */
export function browse() {
  return dialog(
    "The server's folder",
    (close) => {
      const chosen = new Set();
      const trail = h("nav.trail", { "aria-label": "Folders above" });
      const list = h("ul.entries");
      const add = button(null, "Add", () => close([...chosen]), { text: "Add", class: "primary" });
      const told = () => {
        add.disabled = !chosen.size;
        fill(add, h("span", { text: chosen.size ? `Add ${count(chosen.size, "file")}` : "Add" }));
      };
      const go = async (path) => {
        try {
          const answer = await api.folder(path);
          fill(trail, ...crumbs(answer.path ?? path, go));
          fill(list, ...entries(answer.path ?? path, answer.entries, chosen, go, told));
          if (!answer.entries.length) fill(list, h("li.none", { text: "There is no sound in this folder." }));
        } catch (error) {
          fill(list, h("li.none.wrong", { text: error.message }));
        }
      };
      told();
      go("");
      return [trail, list, h("footer", {}, button(null, "Cancel", () => close(), { text: "Cancel" }), add)];
    },
    { class: "broad" },
  );
}

function crumbs(path, go) {
  const parts = path.split("/").filter((part) => part && part !== ".");
  const steps = ["", ...parts.map((_, i) => parts.slice(0, i + 1).join("/"))];
  return steps.map((step, i) => {
    const text = i ? parts[i - 1] : "Folder";
    return button(null, text, () => go(step), { text, class: "quiet" });
  });
}

function entries(path, found, chosen, go, told) {
  const base = path === "." ? "" : path;
  return found.map((entry, i) => {
    const full = base ? `${base}/${entry.name}` : entry.name;
    if (entry.kind === "folder")
      return h("li", {}, h("button.entry", { type: "button", on: { click: () => go(full) } }, icon("folder"), h("b", { text: entry.name })));
    const box = h("input", {
      type: "checkbox",
      id: `entry-${i}`,
      on: {
        change: () => {
          if (box.checked) chosen.add(full);
          else chosen.delete(full);
          told();
        },
      },
    });
    box.checked = chosen.has(full);
    return h("li", {}, h("label.entry", { for: `entry-${i}` }, box, h("b", { text: entry.name }), h("span.facts", { text: size(entry.size ?? 0) })));
  });
}
