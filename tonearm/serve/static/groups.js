// Headers of albums: the cover, how many tracks agree, and one button for all of them.
import { coverOf } from "./cover.js";
import { button, el } from "./dom.js";
import { nameOf, swatch } from "./genres.js";

/**
 * An album, or a folder where tags name none, as `/albums` gives it.
 *
 * @typedef {object} Album
 * @property {number} first the id of one of its tracks
 * @property {string} title
 * @property {?string} artist
 * @property {number} tracks
 * @property {?string} genre the commonest by sound
 * @property {number} agree tracks of that genre
 */

const MOST_KB = 512; // in a list, at 26 pixels

/**
 * Groups for the table.
 *
 * @param {Album[]} albums in the order of the rows
 * @param {{accept: (album: Album) => void}} how
 * @returns {import("./table.js").Group[]}
 */
export function makeGroups(albums, { accept }) {
  return albums.map((album) => ({
    title: album.title,
    tracks: album.tracks,
    node: () => header(album, accept),
  }));
}

/** @param {Album} album @param {string} name @param {(album: Album) => void} accept */
function acceptButton(album, name, accept) {
  const node = button("Accept", () => accept(album), {
    disabled: !album.agree,
    tabindex: -1, // of 800 albums, Tab would go through each
    "aria-label": `Accept album ${name}`,
  });
  node.append(el("span", {}, " album")); // left out where there is no room
  return node;
}

/** @param {Album} album @param {(album: Album) => void} accept */
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
