// The list as a file for a spreadsheet.
import { get, query } from "./api.js";
import { kindOf } from "./genres.js";
import { shares } from "./words.js";

/** @typedef {import("./api.js").Track} Track */
/** @template Row @typedef {Record<string, (row: Row) => any>} Columns */

const PAGE = 1_000;
const REVOKE_MS = 1_000; // a browser has begun to save by then
/** @type {Columns<Track>} */
const COLUMNS = {
  path: (row) => row.path,
  title: (row) => row.title,
  artist: (row) => row.artist,
  album: (row) => row.album,
  "genre tag": (row) => row.genres.join("; "),
  genre: (row) => kindOf(row) ?? (row.error ? "" : "unknown"),
  mix: (row) => (row.mix ? shares(row.mix) : ""),
  styles: (row) => Object.keys(row.styles).join("; "),
  nearest: (row) => row.nearest,
  confidence: (row) => row.confidence,
  review: (row) => row.review?.verdict,
  "reviewed genre": (row) => row.review?.genre,
};

/**
 * A value quoted where a comma or a line would break it.
 *
 * @param {any} value
 */
function cell(value) {
  let text = String(value ?? "");
  // A spreadsheet runs what begins like a formula, whoever wrote it into a title.
  if (/^[=+@\-\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Rows as CSV, with a line of headings.
 *
 * @template Row
 * @param {Row[]} rows
 * @param {Columns<Row>} columns what each heading has below it
 * @returns {string}
 */
export function toCsv(rows, columns) {
  const lines = rows.map((row) => Object.values(columns).map((value) => cell(value(row))));
  return [Object.keys(columns), ...lines].map((values) => values.join(",")).join("\r\n");
}

/**
 * Hand a file over, as a download.
 *
 * @param {string} text
 * @param {string} name
 * @param {string} [type]
 * @returns {void}
 */
export function save(text, name, type = "text/csv") {
  // A spreadsheet needs the mark at its beginning to take it for UTF-8.
  const parts = type === "text/csv" ? ["\ufeff", text] : [text];
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_MS);
}

/**
 * Save all tracks that meet a filter.
 *
 * @param {object} wanted what `/tracks` understands
 * @returns {Promise<void>}
 */
export async function saveCsv(wanted) {
  /** @type {Track[]} */
  const rows = [];
  for (;;) {
    const page = await get(`/tracks?${query({ ...wanted, offset: rows.length, limit: PAGE })}`);
    rows.push(...page.tracks);
    // None left, though the total said so: a scan took tracks away meanwhile.
    if (!page.tracks.length || rows.length >= page.total) break;
  }
  save(toCsv(rows, COLUMNS), "tonearm.csv");
}
