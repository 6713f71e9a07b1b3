// What the player needs of a track: a key, where its sound is, and its name.
import { audioOf } from "./api.js";

/**
 * @param {import("./api.js").Track} row
 * @param {() => void} [onopen] called when a person wants to see what plays
 */
export const soundOf = (row, onopen = undefined) => ({
  key: `track-${row.id}`,
  source: audioOf(row.id),
  title: [row.artist, row.title || row.name].filter(Boolean).join(" – "),
  onopen,
});
