// Numbers in plain words.
import { nameOf } from "./genres.js";
/** "likely jazz, maybe blues" for an answer with genre, nearest, confidence, probabilities. */
export function verdict(values) {
  if (values.note === "silent") return "silent: there is nothing to classify";
  return values.note === "short" ? `${likely(values)}; too short to be sure` : likely(values);
}

function likely({ genre, nearest, confidence, probabilities }) {
  const first = lower(nearest);
  const [second, fraction] = Object.entries(probabilities ?? {})[1] ?? [null, 0];
  if (!genre) return `unlike any genre it knows; nearest: ${first}`;
  const maybe = second && fraction >= 0.12 ? `, maybe ${lower(second)}` : "";
  if (confidence >= 0.85) return `almost certainly ${first}`;
  if (confidence >= 0.65) return `likely ${first}${maybe}`;
  if (confidence >= 0.45) return `perhaps ${first}${maybe}`;
  return second ? `hard to say: ${first} or ${lower(second)}` : `hard to say: ${first}`;
}

export const lower = (genre) => (nameOf(genre) ?? "").toLowerCase();

/** The segment of a timeline at a moment. */
export const partAt = (timeline, seconds) =>
  timeline.find((part) => seconds < part.end_s) ?? timeline[timeline.length - 1] ?? null;
