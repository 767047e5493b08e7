/** The timeline as a file, in every format. */

import * as api from "./api.js";
import { fill, h, icon } from "./dom.js";

const USED_BY = {
  csv: "spreadsheets, scripts",
  json: "everything, exact",
  rttm: "diarisation tools",
  textgrid: "Praat",
  elan: "ELAN",
  audacity: "Audacity labels",
  webvtt: "web players",
  srt: "subtitles",
  jams: "music research",
  mirex: "MIREX, sed_eval",
};

export class Exports {
  /**
   * @param {HTMLElement} box
   * @param {import("./marks.js").Marks} marks
   */
  constructor(box, marks) {
    Object.assign(this, { box, marks, formats: [] });
    marks.on("state", () => this.show());
  }

  show() {
    const { recording, name } = this.marks;
    const key = JSON.stringify([recording, name, this.formats.length]);
    if (key === this.box.dataset.key) return;
    this.box.dataset.key = key;
    if (!recording) {
      fill(this.box, h("p.empty", { text: "There is nothing to export yet." }));
      return;
    }
    fill(
      this.box,
      h("p.told", { text: `“${name}” as a file:` }),
      h(
        "ul.formats",
        {},
        ...this.formats.map((format) =>
          h(
            "li",
            {},
            h("a", { href: api.exportPath(recording, name, format.name), download: true, "data-format": format.name }, icon("download"), h("b", { text: format.name }), h("span.facts", { text: USED_BY[format.name] ?? "" }), h("code", { text: format.suffix })),
          ),
        ),
      ),
    );
  }
}
