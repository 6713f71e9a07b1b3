// The cover of a track; where there is none, nothing.
import { audioOf } from "./api.js";
import { el } from "./dom.js";

/**
 * The address of a track's cover.
 *
 * @param {number} id
 * @param {number} [mostKb] larger ones are as none: decoding 20 of 3 MB each stops a list
 * @returns {string}
 */
export const coverOf = (id, mostKb) =>
  audioOf(id).replace("/audio", "/cover") + (mostKb ? `?most_kb=${mostKb}` : "");

/**
 * A picture that goes away by itself where there is none.
 *
 * @param {import("./api.js").Track} row
 * @returns {HTMLImageElement}
 */
export function makeCover(row) {
  const image = el("img", { class: "cover large", alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.remove());
  image.src = coverOf(row.id);
  return image;
}
