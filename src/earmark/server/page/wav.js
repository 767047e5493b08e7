/** WAV files of 16 bits, read without a decoder: every sample as it was sent. */

/** A mean of channels with less than this share of their mean energy is taken for cancellation. */
const CANCELLED = 0.1;

/**
 * @param {ArrayBuffer} buffer
 * @returns {{rate: number, channels: Float32Array[], mono: Float32Array}}
 */
export function readWav(buffer) {
  const data = new DataView(buffer);
  const tag = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  let [rate, n, at] = [0, 1, 12];
  while (at + 8 <= data.byteLength) {
    const length = data.getUint32(at + 4, true);
    if (tag(at) === "fmt ") [n, rate] = [data.getUint16(at + 10, true), data.getUint32(at + 12, true)];
    if (tag(at) === "data") return split(data, at + 8, Math.min(length, data.byteLength - at - 8), n, rate);
    at += 8 + length + (length & 1);
  }
  throw new Error("The server sent no sound.");
}

function split(data, at, length, n, rate) {
  const frames = Math.floor(length / (2 * n));
  const channels = Array.from({ length: n }, () => new Float32Array(frames));
  for (let i = 0, place = at; i < frames; i++)
    for (let c = 0; c < n; c++, place += 2) channels[c][i] = data.getInt16(place, true) / 32768;
  return { rate, channels, mono: n === 1 ? channels[0] : mixed(channels, rate) };
}

/** Average channels, second by second; where they cancel, take the loudest, as what listens to them does. */
function mixed(channels, rate) {
  const mono = new Float32Array(channels[0].length);
  for (let from = 0; from < mono.length; from += rate) {
    const parts = channels.map((channel) => channel.subarray(from, from + rate));
    const mean = mono.subarray(from, from + rate);
    for (const part of parts) for (let i = 0; i < mean.length; i++) mean[i] += part[i] / parts.length;
    const energies = parts.map(energy);
    const least = (CANCELLED * energies.reduce((a, b) => a + b)) / parts.length;
    if (energy(mean) < least) mean.set(parts[energies.indexOf(Math.max(...energies))]);
  }
  return mono;
}

function energy(samples) {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return sum;
}
