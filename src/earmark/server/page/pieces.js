/** What is loaded piece by piece: the newest wish first, few at a time, the least used forgotten. */

/** Wishes are granted after so long, since a view that moves has others at once; so much older ones are dropped. */
const PATIENCE_MS = 30;
const STALE_MS = 300;
const RETRY_MS = 3000;
const GROWN_MS = 1000;

export class Pieces {
  #timer = 0;
  #held = new Map();
  #queue = new Map();
  #running = new Map();
  #failed = new Map();
  #growing = new Map();

  /**
   * @param {(key: string, signal: AbortSignal, ...more) => Promise<any>} load what a key stands for; `complete: false` in it: there will be more of it
   * @param {() => void} arrived is called when something came
   * @param {{keep?: number, atOnce?: number}} [limits]
   */
  constructor(load, arrived, { keep = 200, atOnce = 4 } = {}) {
    this.load = load;
    this.arrived = arrived;
    this.keep = keep;
    this.atOnce = atOnce;
  }

  /** Return a piece if it is here; else ask for it. */
  get(key, ...more) {
    const found = this.peek(key);
    const settled = found !== undefined && !(this.#growing.get(key) <= Date.now());
    if (!settled && !this.#running.has(key) && !(this.#failed.get(key) > Date.now())) {
      this.#queue.delete(key);
      this.#queue.set(key, { more, time: performance.now() });
      this.#timer ||= setTimeout(() => this.#start(), PATIENCE_MS);
    }
    return found;
  }

  /** Return a piece if it is here. */
  peek(key) {
    const found = this.#held.get(key);
    if (found === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, found);
    return found;
  }

  /** Load a piece and wait for it. */
  async wait(key, ...more) {
    return this.peek(key) ?? this.#fetch(key, more);
  }

  /** Forget all pieces. */
  forget() {
    this.#held.clear();
    this.#queue.clear();
    this.#failed.clear();
    this.#growing.clear();
    for (const { abort } of this.#running.values()) abort.abort();
    this.#running.clear();
  }

  #start() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const wishes = [...this.#queue].reverse();
    for (const [key, { more, time }] of wishes) {
      const stale = time < wishes[0][1].time - STALE_MS;
      if (!stale && this.#running.size >= this.atOnce) return;
      this.#queue.delete(key);
      if (!stale) this.#fetch(key, more).catch(() => {});
    }
  }

  /** Ask for a piece again after a while, if it is still wanted. */
  #later(which, key, wait) {
    which.set(key, Date.now() + wait);
    setTimeout(this.arrived, wait + 1);
  }

  #fetch(key, more) {
    const already = this.#running.get(key);
    if (already) return already.promise;
    const abort = new AbortController();
    const promise = this.load(key, abort.signal, ...more)
      .then((value) => {
        if (abort.signal.aborted) return value;
        this.#held.set(key, value);
        while (this.#held.size > this.keep) this.#held.delete(this.#held.keys().next().value);
        if (value.complete === false) this.#later(this.#growing, key, GROWN_MS);
        else this.#growing.delete(key);
        this.arrived();
        return value;
      })
      .catch((error) => {
        if (!abort.signal.aborted) this.#later(this.#failed, key, RETRY_MS);
        throw error;
      })
      .finally(() => {
        if (this.#running.get(key)?.abort === abort) this.#running.delete(key);
        this.#start();
      });
    this.#running.set(key, { promise, abort });
    return promise;
  }
}
