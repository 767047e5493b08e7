/** WAV files of 16 bits, read without a decoder: every sample as it was sent. */

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
  if (n === 1) return { rate, channels, mono: channels[0] };
  const mono = new Float32Array(frames);
  for (const channel of channels) for (let i = 0; i < frames; i++) mono[i] += channel[i] / n;
  return { rate, channels, mono };
}
