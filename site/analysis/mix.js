// Long tracks that change genre, as `tonearm/model/mix.py` finds them.
import { argmax, meanRow } from "./head.js";
import { rounded, segments } from "./segments.js";

/** @typedef {import("./classifier.js").Prediction} Prediction */

/**
 * A track in segments of one genre, as `Divided` of mix.py.
 *
 * @typedef {{
 *   parts: import("./segments.js").Segment[],
 *   genres: (?string)[],
 *   each: number[][],
 *   known: [string, number][],
 * }} Divided
 */

/**
 * The prediction as it is, or with `mix` and `timeline`, and no genre.
 *
 * @param {Prediction} prediction
 * @param {import("./head.js").Head} head
 * @param {import("./encoder.js").Embeddings} embeddings
 * @param {number} window_s
 * @returns {Prediction}
 */
export function withMix(prediction, head, embeddings, window_s) {
  const { mix: own, long_s, places } = head.rules;
  if (embeddings.duration_s < long_s || embeddings.values.length < 2) return prediction;
  let divided = divide(head, embeddings, window_s, own.change_cost);
  const unknown = divided.genres.filter((genre) => genre === null).length;
  let isMix = prediction.genre !== null && unknown > own.most_unknown * divided.genres.length;
  const numbers = evidence(divided, head.labels, own);
  isMix ||= numbers.reduce((sum, x, i) => sum + x * own.weights[i], 0) > own.least_score;
  if (!isMix && prediction.confidence <= own.doubt.below) {
    divided = divide(head, embeddings, window_s, own.doubt.change_cost);
    const [longest = 0] = divided.known.map(([, part]) => part);
    isMix = longest < own.doubt.longest && others(divided) >= own.doubt.others;
  }
  if (!isMix) return prediction;
  // The fractions are those of the timeline that is shown next to them.
  const timeline = prediction.timeline ?? divided.parts;
  return { ...prediction, genre: null, mix: fractions(timeline, places), timeline };
}

/**
 * Segments by windows some 15 s apart.
 *
 * @param {import("./head.js").Head} head
 * @param {import("./encoder.js").Embeddings} embeddings
 * @param {number} window_s
 * @param {number} change_cost
 * @returns {Divided}
 */
function divide(head, { values, starts_s, duration_s }, window_s, change_cost) {
  const { mix: own, places } = head.rules;
  const chosen = [0];
  for (let i = 1; i < starts_s.length; i++)
    if (starts_s[i] - starts_s[chosen[chosen.length - 1]] >= own.hop_s) chosen.push(i);
  const few = chosen.map((i) => values[i]);
  const begins_s = chosen.map((i) => starts_s[i]);
  const each = head.classifyEach(few);
  const parts = segments(begins_s, each, {
    duration_s,
    window_s,
    together: (start, stop) => together(head, head.classify(few.slice(start, stop))),
    minimum_s: own.minimum_s,
    change_cost,
    rules: head.rules,
  });
  const genres = begins_s.map((start_s) => {
    const middle_s = start_s + window_s / 2;
    return (parts.find(({ end_s }) => middle_s <= end_s) ?? parts[parts.length - 1]).genre;
  });
  const known = Object.entries(fractions(parts, places)).filter(([genre]) => genre !== "unknown");
  return { parts, genres, each, known };
}

/**
 * Fraction of the track in other known genres than the longest.
 *
 * @param {Divided} divided
 */
function others({ known }) {
  return known.slice(1).reduce((sum, [, part]) => sum + part, 0);
}

/**
 * What speaks for a mix: the three numbers of `evidence` in mix.py.
 *
 * @param {Divided} divided
 * @param {string[]} labels
 * @param {{least_others: number, least_probability: number}} own
 */
export function evidence(divided, labels, own) {
  const { genres, each, known } = divided;
  if (others(divided) < own.least_others) return [0, 0, 0];
  const longest = labels.indexOf(known[0][0]);
  const mean = meanRow(each);
  /** @param {number[]} row */
  const squares = (row) => row.reduce((sum, x, i) => sum + (x - mean[i]) ** 2, 0);
  /** @param {number} x */
  const nats = (x) => Math.log(Math.max(x, own.least_probability));
  let [lost, between] = [0, 0];
  for (const genre of new Set(genres)) {
    const inside = each.filter((_, i) => genres[i] === genre);
    between += inside.length * squares(meanRow(inside));
    if (genre === null) continue;
    const state = labels.indexOf(genre);
    const gain = inside.reduce((sum, row) => sum + nats(row[state]) - nats(row[longest]), 0);
    lost += Math.max(0, gain);
  }
  const variance = Math.max(
    each.reduce((sum, row) => sum + squares(row), 0),
    1e-12,
  );
  return [others(divided), Math.sqrt(lost / each.length), between / variance];
}

/**
 * Genre and confidence of windows that were classified together.
 *
 * @param {import("./head.js").Head} head
 * @param {import("./head.js").HeadOutput} output
 * @returns {[?string, number]}
 */
export function together(head, { probabilities, known, unknown }) {
  const best = argmax(probabilities);
  return known ? [head.labels[best], probabilities[best]] : [null, unknown];
}

/**
 * Fraction of the track for each genre, largest first.
 *
 * @param {import("./segments.js").Segment[]} found
 * @param {number} places
 */
function fractions(found, places) {
  /** @type {Map<string, number>} */
  const lengths = new Map();
  for (const { genre, start_s, end_s } of found) {
    const name = genre ?? "unknown";
    lengths.set(name, (lengths.get(name) ?? 0) + end_s - start_s);
  }
  const whole = [...lengths.values()].reduce((sum, length) => sum + length, 0);
  const ranked = [...lengths].sort((a, b) => b[1] - a[1]);
  return Object.fromEntries(
    ranked.map(([name, length]) => [name, rounded(length / whole, places)]),
  );
}
