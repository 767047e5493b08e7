/** Times, sizes and shares as text, and times read back. */

/**
 * Write a time: 0:07.250, 12:03, 1:02:03.
 * @param {number} seconds
 * @param {number} [decimals] of the seconds
 */
export function clock(seconds, decimals = 0) {
  const unit = 10 ** decimals;
  const all = Math.max(0, Math.round(seconds * unit));
  const whole = Math.floor(all / unit);
  const s = whole % 60;
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  const fraction = decimals ? `.${String(all % unit).padStart(decimals, "0")}` : "";
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}${fraction}` : `${m}:${two(s)}${fraction}`;
}

/**
 * Read a time as people write it: 90, 1:30, 1:02:03.5, 1h 2m 3s.
 * @param {string} text
 * @returns {number|null} seconds, or null if it is none
 */
export function parseTime(text) {
  const trimmed = text.trim().replace(",", ".").toLowerCase();
  if (/^\d+(\.\d*)?$/.test(trimmed)) return Number(trimmed);
  const parts = trimmed.match(/^(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d*)?)$/);
  if (parts) return Number(parts[1] ?? 0) * 3600 + Number(parts[2]) * 60 + Number(parts[3]);
  const units = trimmed.match(/^(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d*)?)\s*s)?$/);
  if (units && trimmed) return Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0);
  return null;
}

/** Write a length: 240 ms, 3.52 s, 12 min, 1 h 05 min. */
export function length(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.995) return `${seconds.toFixed(2)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 10) return `${Math.floor(Math.round(seconds) / 60)} min ${Math.round(seconds) % 60} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Write a share, 0 to 1, in per cent. */
export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** Write a number of bytes. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Write when something was made, given in seconds since 1970, short. */
export function day(seconds) {
  const date = new Date(1000 * seconds);
  const today = new Date().toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
    : date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

/** Write a number of things: 1 segment, 12 segments. */
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** The first name that is not taken: tuned, tuned-2, tuned-3... */
export function fresh(name, taken) {
  for (let i = 1; ; i++) {
    const wanted = i === 1 ? name : `${name}-${i}`;
    if (!taken.includes(wanted)) return wanted;
  }
}
