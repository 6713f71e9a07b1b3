// Names, colours and patterns of genres: each has a colour and a pattern of its own, since colours
// alone say nothing to one person in twenty.
import { get } from "./api.js";
import { contextOf, el } from "./dom.js";

/**
 * @typedef {object} Genre
 * @property {string} genre as the model names it: "hiphop"
 * @property {string} name as people write it: "Hip-Hop"
 * @property {string} colour "#0072b2"
 * @property {number} number its place among all
 * @property {HTMLCanvasElement} tile what an area of it is filled with
 */
/** @typedef {CanvasRenderingContext2D} Context */

const MIX = "mix"; // what changes genre has this in its place
const SIZE = 8; // pixels of a pattern's tile

/** @type {Map<string, Genre>} */
const known = new Map();
/** @type {Map<string, string>} names of genres that a person said, and the model does not know */
let own = new Map();
/** @type {Set<() => void>} */
const watchers = new Set();
// The page's rules (CSP) forbid style elements, but not sheets that a script makes.
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
let splitting = "";

// Each draws on a tile of SIZE pixels, over the colour, in ink.
/** @type {((c: Context) => void)[]} */
const PATTERNS = [
  (c) => line(c, 0, 8, 8, 0),
  () => {},
  (c) => line(c, 0, 4, 8, 4),
  (c) => dot(c, 4, 4, 1.8),
  (c) => (c.fillRect(0, 0, 4, 4), c.fillRect(4, 4, 4, 4)),
  (c) => line(c, 4, 0, 4, 8),
  (c) => (line(c, 0, 0, 8, 8), line(c, 0, 8, 8, 0)),
  (c) => (dot(c, 2, 2, 1.2), dot(c, 6, 6, 1.2)),
  (c) => (line(c, 0, 4, 8, 4), line(c, 4, 0, 4, 8)),
  (c) => line(c, 0, 0, 8, 8),
];

/** @param {Context} c @param {...number} ends x and y of the first, and of the last point */
function line(c, ...ends) {
  const [x0, y0, x1, y1] = ends;
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

/** @param {Context} c @param {number} x @param {number} y @param {number} r */
function dot(c, x, y, r) {
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
  c.fill();
}

/**
 * Ask for the genres; again when the server uses another model.
 *
 * @returns {Promise<void>}
 */
export async function load() {
  const { genres, own: said, splitting: characters } = await get("/genres");
  splitting = characters;
  own = toNames(said);
  known.clear();
  genres.forEach((/** @type {Genre} */ row, /** @type {number} */ i) =>
    known.set(row.genre, {
      ...row,
      number: i,
      tile:
        row.genre === "unknown"
          ? hollow(row.colour)
          : row.genre === MIX
            ? parted(row.colour)
            : tile(row.colour, PATTERNS[i % PATTERNS.length]),
    }),
  );
  // One style a genre: a canvas for each swatch would cost a table that scrolls its smoothness.
  const rules = all().map(
    (row) => `.genre-${row.number} { background-image: url(${row.tile.toDataURL()}); }`,
  );
  sheet.replaceSync(rules.join("\n"));
  for (const watcher of watchers) watcher();
}

/** @param {{genre: string, name: string}[]} rows */
const toNames = (rows) => new Map(rows.map(({ genre, name }) => [genre, name]));

/**
 * Whether a review may bring a genre of one's own, or take its last one away.
 *
 * @param {string} [genre] with "change"
 * @returns {boolean}
 */
export const mayBeOwn = (genre) => own.size > 0 || (genre !== undefined && !known.has(genre));

/**
 * Ask for a person's own genres again.
 *
 * @returns {Promise<void>}
 */
export async function loadOwn() {
  own = toNames((await get("/genres")).own);
  for (const watcher of watchers) watcher();
}

/**
 * Call back whenever the genres are others: what lists them has to do so again.
 *
 * @param {() => void} callback
 */
export const onLoad = (callback) => watchers.add(callback);

/**
 * All genres of the model, "mix" and "unknown" the last of them.
 *
 * @returns {Genre[]}
 */
export const all = () => [...known.values()];

/**
 * All genres that something can be.
 *
 * @returns {Genre[]}
 */
export const labels = () => all().filter((row) => row.genre !== "unknown" && row.genre !== MIX);

/**
 * What a track is called by its sound: its genre, or "mix" where that changes.
 *
 * @param {{genre: ?string, mix?: ?Record<string, number>}} row
 * @returns {?string} null where it is unknown
 */
export const kindOf = (row) => row.genre ?? (row.mix ? MIX : null);

/**
 * A pattern for the name of another genre: without the characters that players split names at.
 *
 * @returns {string} for the attribute of a field
 */
export const namePattern = () => `[^${splitting.replace(/./g, "\\$&")}]+`;

/**
 * What is wrong with a name that does not fit {@link namePattern}.
 *
 * @returns {string}
 */
export const nameFault = () =>
  `One genre, without ${[...splitting].join(" ")}: players split names there.`;

/**
 * The name of a genre as people write it; of one that the server has not heard of, as it was typed.
 *
 * @param {?string} [genre] "Unknown" where there is none
 * @returns {string}
 */
export const nameOf = (genre) =>
  known.get(genre ?? "unknown")?.name ?? own.get(genre ?? "") ?? genre ?? "Unknown";

/**
 * What the row of a genre is; of one that the model does not know, that of unknown.
 *
 * @param {?string} [genre]
 */
const rowOf = (genre) =>
  known.get(genre ?? "unknown") ?? /** @type {Genre} */ (known.get("unknown"));

/**
 * All genres to choose from: the model's, then those that a person said.
 *
 * @returns {string[]}
 */
export const choices = () => [...labels().map((row) => row.genre), ...own.keys()];

/**
 * The key of a choice: 1 to 9 and 0 for the model's first ten. A person's own genres have none: a
 * digit that meant another genre from one day to the next would be pressed without a look.
 *
 * @param {number} i its place
 * @returns {?string} null where it has none
 */
export const keyOf = (i) => (i < Math.min(10, labels().length) ? String((i + 1) % 10) : null);

/** @returns {[HTMLCanvasElement, Context]} */
function blank() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  return [canvas, contextOf(canvas)];
}

/** @param {string} colour @param {(c: Context) => void} draw */
function tile(colour, draw) {
  const [canvas, c] = blank();
  c.fillStyle = colour;
  c.fillRect(0, 0, SIZE, SIZE);
  c.fillStyle = c.strokeStyle = "rgba(0, 0, 0, .42)";
  c.lineWidth = 1.4;
  draw(c);
  return canvas;
}

/** A tile that is no colour: unknown is not one more genre. @param {string} colour */
function hollow(colour) {
  const [canvas, c] = blank();
  c.strokeStyle = colour;
  c.globalAlpha = 0.55;
  line(c, 0, 8, 8, 0);
  return canvas;
}

/** A tile of stretches, as a mix has. @param {string} colour */
function parted(colour) {
  const [canvas, c] = blank();
  c.fillStyle = colour;
  c.fillRect(0, 0, SIZE / 2, SIZE);
  c.globalAlpha = 0.35;
  c.fillRect(SIZE / 2, 0, SIZE / 2, SIZE);
  return canvas;
}

/**
 * Fill a rectangle of a canvas with a genre's colour and pattern.
 *
 * @param {Context} c
 * @param {?string} genre
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @returns {void}
 */
export function fill(c, genre, x, y, width, height) {
  c.fillStyle = c.createPattern(rowOf(genre).tile, "repeat") ?? rowOf(genre).colour;
  c.fillRect(x, y, width, height);
}

/**
 * A small square of the genre, next to its name.
 *
 * @param {?string} genre
 * @param {"small" | "middle" | "large"} [kind]
 * @returns {HTMLElement}
 */
export const swatch = (genre, kind = "small") =>
  el("span", {
    class: `swatch ${kind} genre-${rowOf(genre).number}${genre ? "" : " hollow"}`,
    "aria-hidden": "true",
  });

/**
 * The square of a genre and its name.
 *
 * @param {?string} genre
 * @param {string} [text] in place of the name
 * @returns {HTMLElement}
 */
export const badge = (genre, text = nameOf(genre)) =>
  el("span", { class: genre ? "badge" : "badge unknown" }, swatch(genre), el("span", {}, text));
