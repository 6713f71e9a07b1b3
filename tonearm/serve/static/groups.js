// Headers of albums: the cover, how many tracks agree, and one button for all of them.
import { coverOf } from "./cover.js";
import { el, button } from "./dom.js";
import { nameOf, swatch } from "./genres.js";

const MOST_KB = 512; // in a list, at 26 pixels

/**
 * Groups for the table, of what `/albums` gives.
 *
 * @param {any[]} albums
 * @param {{accept: (album: any) => void}} how
 */
export function makeGroups(albums, { accept }) {
  return albums.map((album) => ({
    title: album.title,
    tracks: album.tracks,
    node: () => header(album, accept),
  }));
}

function acceptButton(album, name, accept) {
  const node = button("Accept", () => accept(album), {
    disabled: !album.agree,
    tabindex: -1,
    "aria-label": `Accept album ${name}`,
  });
  node.append(el("span", {}, " album")); // left out where there is no room
  return node;
}

function header(album, accept) {
  const genre = album.genre ? nameOf(album.genre).toLowerCase() : "unknown";
  const agree = album.agree ? `${genre}: ${album.agree} of ${album.tracks}` : "unknown";
  const name = [album.artist, album.title].filter(Boolean).join(" – ");
  const cover = el("img", { class: "cover", alt: "", loading: "lazy" });
  cover.src = coverOf(album.first, MOST_KB);
  cover.addEventListener("error", () => cover.replaceWith(swatch(album.genre)));
  return el(
    "div",
    { class: "album", role: "gridcell" },
    cover,
    el("strong", {}, name || "No album"),
    el("span", { class: "quiet" }, agree),
    acceptButton(album, name, accept),
  );
}
