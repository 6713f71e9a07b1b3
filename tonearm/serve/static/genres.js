// Names, colours and patterns of genres: each has a colour and a pattern of its own.
import { get } from "./api.js";
import { el } from "./dom.js";

const known = new Map();
const watchers = new Set();
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
let splitting = "";
const SIZE = 8; // pixels of a pattern's tile

// Each draws on a tile of SIZE pixels, over the colour, in ink.
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

function line(c, x0, y0, x1, y1) {
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

function dot(c, x, y, r) {
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
  c.fill();
}

/** Ask for the genres; again when the server uses another model. */
export async function load() {
  const { genres, splitting: characters } = await get("/genres");
  splitting = characters;
  known.clear();
  genres.forEach((row, i) =>
    known.set(row.genre, {
      ...row,
      number: i,
      tile:
        row.genre === "unknown"
          ? hollow(row.colour)
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

/** Call back whenever the genres are others: what lists them has to do so again. */
export const onLoad = (callback) => watchers.add(callback);

export const all = () => [...known.values()];
export const labels = () => all().filter((row) => row.genre !== "unknown");
/** A pattern for the name of another genre: without the characters that players split names at. */
export const namePattern = () => `[^${splitting.replace(/./g, "\\$&")}]+`;
export const nameOf = (genre) => known.get(genre ?? "unknown")?.name ?? genre;

/** @returns {[HTMLCanvasElement, CanvasRenderingContext2D]} */
function blank() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  return [canvas, canvas.getContext("2d")];
}

function tile(colour, draw) {
  const [canvas, c] = blank();
  c.fillStyle = colour;
  c.fillRect(0, 0, SIZE, SIZE);
  c.fillStyle = c.strokeStyle = "rgba(0, 0, 0, .42)";
  c.lineWidth = 1.4;
  draw(c);
  return canvas;
}

function hollow(colour) {
  const [canvas, c] = blank();
  c.strokeStyle = colour;
  c.globalAlpha = 0.55;
  line(c, 0, 8, 8, 0);
  return canvas;
}

/** Fill a rectangle of a canvas with a genre's colour and pattern. */
export function fill(c, genre, x, y, width, height) {
  const row = known.get(genre ?? "unknown") ?? known.get("unknown");
  c.fillStyle = c.createPattern(row.tile, "repeat");
  c.fillRect(x, y, width, height);
}

/** A small square of the genre, next to its name. */
export function swatch(genre, kind = "small") {
  const { number } = known.get(genre ?? "unknown") ?? known.get("unknown");
  return el("span", {
    class: `swatch ${kind} genre-${number}${genre ? "" : " hollow"}`,
    "aria-hidden": "true",
  });
}

export const badge = (genre, text = nameOf(genre)) =>
  el("span", { class: genre ? "badge" : "badge unknown" }, swatch(genre), el("span", {}, text));
