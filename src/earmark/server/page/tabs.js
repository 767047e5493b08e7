/** Tabs: one of several panels at a time. */

export class Tabs {
  /** @param {HTMLElement} box its buttons name their panel in `aria-controls`, e.g. "panel-segments" */
  constructor(box) {
    this.tabs = [...box.querySelectorAll("[role=tab]")];
    for (const tab of this.tabs) tab.addEventListener("click", () => this.#choose(tab));
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const { length } = this.tabs;
      const next = this.tabs[(this.tabs.indexOf(event.target) + step + length) % length];
      this.#choose(next);
      next.focus();
      event.preventDefault();
    });
  }

  /** Show a panel by the last part of its id. */
  show(name) {
    this.#choose(this.tabs.find((tab) => tab.getAttribute("aria-controls") === `panel-${name}`));
  }

  #choose(chosen) {
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  }
}
