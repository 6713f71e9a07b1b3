// The columns of the list, and which of them a person chose.
import { bar, clock, el, percent } from "./dom.js";
import { badge, kindOf, nameOf } from "./genres.js";
import { kindWords } from "./words.js";

/** @typedef {import("./api.js").Track} Track */
/** @typedef {import("./dom.js").Child} Child */
/**
 * A column of the table.
 *
 * @typedef {object} Column
 * @property {string} name also the class of its cells
 * @property {string} title
 * @property {string} [sort] what `/tracks` sorts it by; none for a column that cannot be sorted
 * @property {string} width as in `grid-template-columns`
 * @property {(row: Track) => Child | Child[]} cell
 */

const STORE = "tonearm.columns";
/** @type {Record<string, string>} */
const SAID = { accept: "✓ accepted", reject: "✗ rejected" };

/** @param {Track} row */
function bySound(row) {
  if (row.error) return el("span", { class: "quiet" }, "unreadable");
  const kind = kindOf(row);
  if (kind) return badge(kind);
  const text = row.note ? kindWords(row) : `Unknown (${nameOf(row.nearest)}?)`;
  const unknown = badge(null, text);
  unknown.title = text; // a narrow column cuts it
  return unknown;
}

/** @param {Track} row a full bar for 94 % of an unknown genre would lie */
function confidence(row) {
  if (row.error) return "";
  if (!row.genre) return el("span", { class: "quiet" }, "–");
  return [bar(row.confidence ?? 0), el("span", {}, percent(row.confidence))];
}

/**
 * What a person said of a track, in a word.
 *
 * @param {Track} row
 * @returns {HTMLElement | ""} empty where nobody said anything
 */
export function saidOf(row) {
  if (!row.review) return "";
  const { verdict, genre } = row.review;
  const text = verdict === "change" ? `✎ ${nameOf(genre)}` : SAID[verdict];
  return el("span", { class: `review ${verdict}` }, text);
}

/** @param {Track} row */
function tag(row) {
  if (!row.genres.length) return el("span", { class: "quiet" }, "–");
  return el("span", { class: row.by_tonearm ? "own" : "" }, row.genres.join(", "));
}

/** @param {Track} row the most probable first */
const styles = (row) => Object.keys(row.styles).slice(0, 3).join(", ");

/** @param {Track} row on a phone both are seen, on a desk the artist has a column */
const title = (row) => [
  el("span", { class: "name" }, row.title || row.name),
  el("span", { class: "artist quiet" }, row.artist || ""),
];

/**
 * The columns that can be chosen, with their titles.
 *
 * @type {Record<string, string>}
 */
export const CHOICES = {
  artist: "Artist",
  album: "Album",
  folder: "Folder",
  tag: "Genre tag",
  genre: "By sound",
  styles: "Styles",
  confidence: "Confidence",
  length: "Length",
  said: "Review",
};
const USUAL = ["artist", "tag", "genre", "confidence", "length", "said"];

/**
 * The columns that a person chose in this browser.
 *
 * @returns {string[]}
 */
export function chosen() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "null");
    return Array.isArray(kept) ? kept.filter((name) => name in CHOICES) : USUAL;
  } catch {
    return USUAL;
  }
}

/**
 * Keep the choice.
 *
 * @param {string[]} names
 */
export const choose = (names) => localStorage.setItem(STORE, JSON.stringify(names));

/** What fits: on a phone the rest of a row stands below its title. @param {string[]} names */
function fitting(names) {
  const drop = new Set();
  if (innerWidth <= 1300) drop.add("length").add("folder").add("styles");
  if (innerWidth <= 1100) drop.add("artist").add("album");
  if (innerWidth <= 640) drop.add("tag");
  return names.filter((name) => !drop.has(name));
}

/**
 * The columns that a person chose, as far as they fit.
 *
 * @param {(row: Track) => boolean} isSelected for the box at the left
 * @returns {Column[]}
 */
export function makeColumns(isSelected) {
  const room = innerWidth > 1300; // for bars next to the figures
  const tight = innerWidth <= 1100; // next to the panel of a track
  const pick = (/** @type {Track} */ row) =>
    el("span", { "aria-hidden": "true" }, isSelected(row) ? "☑" : "☐");
  /** @type {(Omit<Column, "title"> & {title?: string})[]} */
  const all = [
    { name: "pick", title: "Selected", width: "28px", cell: pick },
    { name: "title", title: "Track", sort: "title", width: "minmax(9.5rem, 3fr)", cell: title },
    { name: "artist", sort: "artist", width: "minmax(5rem, 2fr)", cell: (row) => row.artist || "" },
    { name: "album", sort: "album", width: "minmax(6rem, 2fr)", cell: (row) => row.album || "" },
    { name: "folder", sort: "path", width: "minmax(6rem, 1.4fr)", cell: (row) => row.folder },
    { name: "tag", sort: "tag", width: `minmax(${tight ? 5 : 6}rem, 1.2fr)`, cell: tag },
    { name: "genre", sort: "genre", width: "minmax(7.5rem, 1.4fr)", cell: bySound },
    { name: "confidence", sort: "confidence", width: room ? "7.5rem" : "5.4rem", cell: confidence },
    { name: "styles", width: "minmax(6rem, 1.2fr)", cell: styles },
    {
      name: "length",
      sort: "duration",
      width: "4.2rem",
      cell: (row) => (row.duration_s ? clock(row.duration_s) : ""),
    },
    { name: "said", width: `minmax(${tight ? 5.2 : 6}rem, 1fr)`, cell: saidOf },
  ];
  const names = new Set(["pick", "title", ...fitting(chosen())]);
  return all
    .filter((column) => names.has(column.name))
    .map((column) => ({ title: CHOICES[column.name], ...column }));
}
