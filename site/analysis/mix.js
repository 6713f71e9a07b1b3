// Long tracks that change genre, as `tonearm/model/mix.py` finds them.
import { argmax } from "./head.js";
import { rounded, segments } from "./segments.js";

/** @typedef {import("./classifier.js").Prediction} Prediction */

/**
 * The prediction as it is, or with `mix` and `timeline`, and no genre.
 *
 * @param {Prediction} prediction
 * @param {import("./head.js").Head} head
 * @param {import("./encoder.js").Embeddings} embeddings
 * @param {number} window_s
 * @returns {Prediction}
 */
export function withMix(prediction, head, { values, starts_s, duration_s }, window_s) {
  const { mix: own, long_s, places } = head.rules;
  if (duration_s < long_s || values.length < 2) return prediction;
  const chosen = [0];
  for (let i = 1; i < starts_s.length; i++)
    if (starts_s[i] - starts_s[chosen[chosen.length - 1]] >= own.hop_s) chosen.push(i);
  const few = chosen.map((i) => values[i]);
  const begins_s = chosen.map((i) => starts_s[i]);
  const each = head.classifyEach(few);
  for (const [change_cost, longest, below] of own.rules) {
    if (prediction.confidence >= below) continue;
    const found = segments(begins_s, each, {
      duration_s,
      window_s,
      together: (start, stop) => together(head, head.classify(few.slice(start, stop))),
      minimum_s: own.minimum_s,
      change_cost,
      rules: head.rules,
    });
    const mix = fractions(found, places);
    const known = Object.entries(mix).flatMap(([genre, part]) => (genre === "unknown" ? [] : part));
    const others = known.slice(1).reduce((sum, part) => sum + part, 0);
    if (known.length && known[0] < longest && others >= own.least_other)
      return { ...prediction, genre: null, mix, timeline: prediction.timeline ?? found };
  }
  return prediction;
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
