// Numbers in plain words.
import { percent } from "./dom.js";
import { kindOf, nameOf } from "./genres.js";

/** @typedef {import("./api.js").Segment} Segment */
/**
 * What is needed of a prediction to say it in words.
 *
 * @typedef {object} Said
 * @property {?string} genre
 * @property {?string} [nearest]
 * @property {?number} [confidence]
 * @property {Record<string, number>} [probabilities]
 * @property {?Record<string, number>} [mix] shares of its genres, where it changes between them
 * @property {?string} [note] why it is no more than a guess: "silent", "low-rate" or "short"
 */

/**
 * Notes after which a genre is still named.
 *
 * @type {Record<string, string>}
 */
const DOUBTS = {
  "low-rate": "sampled at too low a rate to be reliable",
  short: "too short to be reliable",
};

/**
 * "likely jazz, maybe blues"; of a mix "jazz 60 %, pop 40 %".
 *
 * @param {Said} prediction
 * @returns {string}
 */
export function verdict(prediction) {
  if (prediction.note === "silent") return "silent: there is nothing to classify";
  if (prediction.mix) return shares(prediction.mix);
  const doubt = prediction.note && DOUBTS[prediction.note];
  return likely(prediction) + (doubt ? `; ${doubt}` : "");
}

/**
 * What something is, in a word or two: of silence, and of a moment, no genre is a guess.
 *
 * @param {Said} said
 * @returns {string}
 */
export function kindWords(said) {
  const kind = kindOf(said);
  if (kind) return nameOf(kind);
  return said.note === "silent" ? "Silent" : said.note === "short" ? "Too short" : nameOf(null);
}

/** @param {Said} prediction */
function likely({ genre, nearest, confidence, probabilities }) {
  const first = lower(nearest);
  const [second, fraction] = Object.entries(probabilities ?? {})[1] ?? [null, 0];
  if (!genre) return `unlike any genre it knows; nearest: ${first}`;
  const maybe = second && fraction >= 0.12 ? `, maybe ${lower(second)}` : "";
  const certain = confidence ?? 0;
  if (certain >= 0.85) return `almost certainly ${first}`;
  if (certain >= 0.65) return `likely ${first}${maybe}`;
  if (certain >= 0.45) return `perhaps ${first}${maybe}`;
  return second ? `hard to say: ${first} or ${lower(second)}` : `hard to say: ${first}`;
}

/**
 * "jazz 60 %, unknown 40 %".
 *
 * @param {Record<string, number>} mix fraction of the track for each genre, largest first
 * @returns {string}
 */
export const shares = (mix) =>
  Object.entries(mix)
    .map(([genre, fraction]) => `${lower(genre)} ${percent(fraction)}`)
    .join(", ");

/**
 * "jazz, 87 %"; "mix", "unknown", "silent" and "too short" alone.
 *
 * @param {Said} said
 * @returns {string}
 */
export const inShort = (said) =>
  said.genre
    ? `${lower(said.genre)}, ${percent(said.confidence ?? 0)}`
    : kindWords(said).toLowerCase();

/**
 * The name of a genre within a sentence.
 *
 * @param {?string} [genre] "unknown" where there is none
 * @returns {string}
 */
export const lower = (genre) => nameOf(genre).toLowerCase();

/**
 * The segment of a timeline at a moment; the last one after its end, as when a song fades out.
 *
 * @param {Segment[]} timeline
 * @param {number} seconds
 * @returns {?Segment}
 */
export const partAt = (timeline, seconds) =>
  timeline.find((part) => seconds < part.end_s) ?? timeline[timeline.length - 1] ?? null;
