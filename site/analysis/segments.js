// From predictions of windows to segments, as `tonearm/timeline/segments.py`: the cheapest path at
// a fixed cost for each change.

/** @typedef {{start_s: number, end_s: number, genre: ?string, confidence: number}} Segment */
/**
 * @typedef {object} How
 * @property {number} duration_s
 * @property {number} window_s
 * @property {(start: number, stop: number) => [?string, number]} together
 * @property {number} minimum_s
 * @property {number} change_cost
 * @property {import("./model.js").Rules} rules
 */

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number} value @param {number} places */
export const rounded = (value, places) => Math.round(value * 10 ** places) / 10 ** places;

/**
 * @param {number[]} starts_s
 * @param {number[][]} probabilities of each state, the last being unknown
 * @param {How} how
 * @returns {Segment[]}
 */
export function segments(starts_s, probabilities, how) {
  const { duration_s, window_s, minimum_s, change_cost, rules } = how;
  const all = withSilence(starts_s, probabilities, how);
  const middles = all.map((each) => each.start + window_s / 2);
  const between = middles.slice(1).map((middle, i) => (middle + middles[i]) / 2);
  const edges = [0, ...between, duration_s];
  const evidence = all.map((each, i) => {
    const weight = Math.min((edges[i + 1] - edges[i]) / window_s, 1);
    return each.row.map((p) => Math.log(Math.max(p, rules.least_state)) * weight);
  });
  const path = cheapestPath(evidence, change_cost);
  let runs = runsOf(path);
  while (runs.length > 1) {
    const lengths = runs.map(([start, stop]) => edges[stop] - edges[start]);
    const shortest = lengths.indexOf(Math.min(...lengths));
    if (lengths[shortest] >= minimum_s) break;
    path.fill(betterNeighbour(runs, shortest, path, evidence), ...runs[shortest]);
    runs = runsOf(path);
  }
  const before = [0];
  for (const each of all) before.push(before[before.length - 1] + (each.real ? 1 : 0));
  /** @param {number} start @param {number} stop @returns {[?string, number]} */
  const classify = (start, stop) =>
    before[start] === before[stop] ? [null, 1] : how.together(before[start], before[stop]);
  return joined(runs, classify).map(({ start, stop, genre, confidence }) => ({
    start_s: rounded(edges[start], 3),
    end_s: rounded(edges[stop], 3),
    genre,
    confidence: rounded(confidence, 4),
  }));
}

/**
 * Unknown windows where windows are missing.
 *
 * @param {number[]} starts_s
 * @param {number[][]} rows
 * @param {How} how
 */
function withSilence(starts_s, rows, { duration_s, window_s, rules }) {
  const all = starts_s.map((start, i) => ({ start, row: rows[i], real: true }));
  if (starts_s.length < 2) return all;
  const hop_s = median(starts_s.slice(1).map((start, i) => start - starts_s[i]));
  const least_s = Math.max(rules.minimum_s, rules.gap_hops * hop_s);
  const states = rows[0].length;
  const unknown = Array.from({ length: states }, (_, i) => (i === states - 1 ? 1 : 0));
  const ends = [0, ...starts_s.map((start) => start + window_s)];
  const begins = [...starts_s, duration_s];
  ends.forEach((end, i) => {
    if (begins[i] - end <= least_s) return;
    for (let at = end + hop_s / 2; at < begins[i] - window_s; at += hop_s)
      all.push({ start: at, row: unknown, real: false });
  });
  return all.sort((a, b) => a.start - b.start);
}

/**
 * @param {[number, number][]} runs
 * @param {(start: number, stop: number) => [?string, number]} classify
 */
function joined(runs, classify) {
  /** @type {{start: number, stop: number, genre: ?string, confidence: number}[]} */
  const done = [];
  for (const [begin, stop] of runs) {
    let start = begin;
    let [genre, confidence] = classify(start, stop);
    while (done.length && done[done.length - 1].genre === genre) {
      start = done[done.length - 1].start;
      done.pop();
      [genre, confidence] = classify(start, stop);
    }
    done.push({ start, stop, genre, confidence });
  }
  return done;
}

/** Viterbi with one cost for every change. @param {number[][]} evidence @param {number} cost */
function cheapestPath(evidence, cost) {
  let score = [...evidence[0]];
  const cameFrom = evidence.map((row) => row.map((_, state) => state));
  for (let i = 1; i < evidence.length; i++) {
    const best = score.indexOf(Math.max(...score));
    const change = score[best] - cost;
    score = score.map((own, state) => {
      if (change > own) cameFrom[i][state] = best;
      return Math.max(own, change) + evidence[i][state];
    });
  }
  const path = new Array(evidence.length);
  path[path.length - 1] = score.indexOf(Math.max(...score));
  for (let i = path.length - 1; i > 0; i--) path[i - 1] = cameFrom[i][path[i]];
  return path;
}

/** @param {number[]} path @returns {[number, number][]} */
function runsOf(path) {
  /** @type {[number, number][]} */
  const runs = [];
  path.forEach((state, i) => {
    if (i && path[i - 1] === state) runs[runs.length - 1][1] = i + 1;
    else runs.push([i, i + 1]);
  });
  return runs;
}

/**
 * @param {[number, number][]} runs
 * @param {number} i
 * @param {number[]} path
 * @param {number[][]} evidence
 */
function betterNeighbour(runs, i, path, evidence) {
  const around = [i - 1, i + 1].filter((j) => runs[j]).map((j) => path[runs[j][0]]);
  const inside = (/** @type {number} */ state) =>
    evidence.slice(...runs[i]).reduce((sum, row) => sum + row[state], 0);
  return around.reduce((best, state) => (inside(state) > inside(best) ? state : best));
}
