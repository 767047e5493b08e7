/** Playback: pieces of sound scheduled one after the other, exact to the sample. */

import { Emitter } from "./emitter.js";
import { PIECE_S } from "./wavedata.js";

/** Sound is scheduled this far ahead, seconds. */
const AHEAD_S = 4;
const START_S = 0.03;

/** Emits `state` when playback starts and stops, `time` whenever the position changes, `failed` with an error. */
export class Player extends Emitter {
  /** @type {import("./wavedata.js").WaveData|null} */
  data = null;
  playing = false;
  duration = 0;
  #position = 0;
  #until = Infinity;
  #context = null;
  #sources = new Set();
  #zero = 0;
  #next = 0;
  #turn = 0;

  /** Where the cursor is, seconds. */
  get position() {
    if (!this.playing || !this.#context || this.#zero === null) return this.#position;
    const at = this.#context.currentTime - this.#zero;
    return Math.min(Math.max(at, this.#position), this.#until, this.duration);
  }

  /** Begin with another recording. */
  open(data, duration) {
    this.pause();
    this.data = data;
    this.duration = duration;
    this.#position = 0;
    this.emit("time", 0);
  }

  seek(time) {
    const to = Math.min(Math.max(time, 0), this.duration);
    const { playing } = this;
    if (playing) this.#stop();
    this.#position = to;
    this.emit("time", to);
    if (playing) this.play(to);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play(this.#position >= this.duration - 0.02 ? 0 : this.#position);
  }

  /** Play from a time to another, or to the end. */
  async play(from, until = Infinity) {
    if (!this.data) return;
    this.#stop();
    const turn = ++this.#turn;
    this.#position = from;
    this.#until = until;
    this.#zero = null;
    this.playing = true;
    this.emit("state");
    try {
      const first = Math.floor(from / PIECE_S);
      const { rate } = await this.data.sound.wait(String(first), first);
      if (turn !== this.#turn) return;
      await this.#prepare(rate);
      if (turn !== this.#turn) return;
      this.#zero = this.#context.currentTime + START_S - from;
      this.#next = from;
      this.#schedule(turn);
      this.#follow(turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.pause();
      this.emit("failed", error);
    }
  }

  pause() {
    if (!this.playing) return;
    this.#position = this.position;
    this.#stop();
    this.emit("state");
    this.emit("time", this.#position);
  }

  #stop() {
    this.#turn += 1;
    this.playing = false;
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
  }

  /** A context at the rate of the recording: pieces then join without a seam. */
  async #prepare(rate) {
    if (this.#context?.sampleRate !== rate) {
      await this.#context?.close();
      this.#context = new AudioContext({ sampleRate: rate });
    }
    if (this.#context.state !== "running") await this.#context.resume();
  }

  async #schedule(turn) {
    const end = Math.min(this.#until, this.duration);
    while (turn === this.#turn && this.#next < end) {
      const i = Math.floor(this.#next / PIECE_S + 1e-9);
      let sound;
      try {
        sound = await this.data.sound.wait(String(i), i);
      } catch (error) {
        if (turn !== this.#turn) return;
        this.pause();
        this.emit("failed", error);
        return;
      }
      if (turn !== this.#turn) return;
      const late = this.#context.currentTime - (this.#zero + this.#next);
      if (late > 0) this.#zero += late + START_S;
      this.#put(sound, i, end);
      while (turn === this.#turn && this.#next - this.position > AHEAD_S) await new Promise((done) => setTimeout(done, 200));
    }
  }

  #put(sound, i, end) {
    const from = i * PIECE_S;
    const stop = Math.min(from + sound.mono.length / sound.rate, end);
    if (stop > this.#next) {
      const buffer = this.#context.createBuffer(sound.channels.length, sound.mono.length, sound.rate);
      sound.channels.forEach((channel, c) => buffer.copyToChannel(channel, c));
      const source = new AudioBufferSourceNode(this.#context, { buffer });
      source.connect(this.#context.destination);
      source.start(this.#zero + this.#next, this.#next - from, stop - this.#next);
      source.onended = () => this.#sources.delete(source);
      this.#sources.add(source);
    }
    this.#next = from + PIECE_S;
  }

  #follow(turn) {
    const step = () => {
      if (turn !== this.#turn) return;
      const { position } = this;
      this.emit("time", position);
      if (position >= Math.min(this.#until, this.duration) - 1e-3) this.pause();
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
