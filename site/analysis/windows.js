// Where windows lie on a track, as `tonearm/windows.py` places them: numbers of frames.

/** @typedef {number|"all"} WindowCount */

/**
 * How many windows a track of that length takes where `count` are enough for a song.
 *
 * @param {WindowCount} count
 * @param {number} duration_s
 * @param {import("./model.js").Rules} rules
 * @returns {WindowCount}
 */
export function forLength(count, duration_s, { long_s, long_hop_s, most_windows }) {
  if (count === "all" || duration_s < long_s) return count;
  return Math.max(count, Math.min(Math.floor(duration_s / long_hop_s), most_windows));
}

/** To the nearest; halves to the even one, as in Python. @param {number} x */
export function round(x) {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 ? below + 1 : below;
}

/**
 * First frames of the windows: middles of equal stretches, or one after the other.
 *
 * @param {number} frames
 * @param {number} length
 * @param {{count: WindowCount, hop?: ?number}} how
 */
export function place(frames, length, { count, hop = null }) {
  const last = frames - length;
  if (last <= 0) return [0];
  const through = [];
  for (let at = 0; at <= last; at += hop ?? length) through.push(at);
  if (through[through.length - 1] < last) through.push(last);
  if (count === "all" || count >= through.length) return through;
  return Array.from({ length: count }, (_, i) => {
    const start = round(((i + 0.5) * frames) / count - length / 2);
    return Math.max(0, Math.min(last, start));
  });
}

/**
 * Windows that touch or overlap, together up to `most` frames.
 *
 * @param {number[]} starts
 * @param {number} length
 * @param {number} most
 */
export function group(starts, length, most) {
  const groups = [];
  let begin = 0;
  for (let i = 1; i <= starts.length; i++) {
    const apart = i === starts.length || starts[i] - starts[i - 1] > length;
    if (apart || starts[i] + length - starts[begin] > most) {
      groups.push(starts.slice(begin, i));
      begin = i;
    }
  }
  return groups;
}

/**
 * The order for callers that may stop early: two at a time, the middle first.
 *
 * @param {number} count
 */
export function rounds(count) {
  const quarter = Math.floor(count / 4);
  const order = [];
  for (let i = quarter; i < Math.floor((count + 1) / 2); i++) order.push(i);
  for (let i = quarter - 1; i >= 0; i--) order.push(i);
  return order.map((i) => (i === count - 1 - i ? [i] : [i, count - 1 - i].sort((a, b) => a - b)));
}

/** Up to `most` of so many, evenly over them. @param {number} count @param {number} most */
export function spread(count, most) {
  const few = Math.min(count, most);
  return Array.from({ length: few }, (_, i) => Math.floor(((2 * i + 1) * count) / (2 * few)));
}
