// The cover of a track; where there is none, nothing.
import { audioOf } from "./api.js";
import { el } from "./dom.js";

/** @param {number} id of a track */
export const coverOf = (id) => audioOf(id).replace("/audio", "/cover");

/**
 * A picture that goes away by itself where there is none.
 *
 * @param {import("./api.js").Track} row
 */
export function makeCover(row) {
  const image = el("img", { class: "cover large", alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.remove());
  image.src = coverOf(row.id);
  return image;
}
