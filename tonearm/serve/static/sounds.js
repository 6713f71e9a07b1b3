// What the player needs of a track: a key, where its sound is, and its name.
import { audioOf } from "./api.js";

/**
 * A track as the player takes it.
 *
 * @param {import("./api.js").Track} row
 * @param {() => void} [onopen] called when a person wants to see what plays
 * @returns {import("./player.js").Sound}
 */
export const soundOf = (row, onopen = undefined) => ({
  key: `track-${row.id}`,
  source: audioOf(row.id),
  title: titleOf(row),
  onopen,
});

/**
 * "The Lanterns – Blue River", or the file's name.
 *
 * @param {{artist: ?string, title: ?string, name: string}} row
 * @returns {string}
 */
const titleOf = ({ artist, title, name }) => [artist, title || name].filter(Boolean).join(" – ");
