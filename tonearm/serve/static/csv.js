// The list as a file for a spreadsheet.
import { get, query } from "./api.js";

const PAGE = 1_000;
const COLUMNS = {
  path: (row) => row.path,
  title: (row) => row.title,
  artist: (row) => row.artist,
  album: (row) => row.album,
  "genre tag": (row) => row.genres.join("; "),
  genre: (row) => row.genre ?? (row.error ? "" : "unknown"),
  styles: (row) => Object.keys(row.styles).join("; "),
  nearest: (row) => row.nearest,
  confidence: (row) => row.confidence,
  review: (row) => row.review?.verdict,
  "reviewed genre": (row) => row.review?.genre,
};

/** A value quoted where a comma or a line would break it; no formula of a foreign title runs. */
function cell(value) {
  let text = String(value ?? "");
  if (/^[=+@\-\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {object[]} rows @param {Record<string, (row: any) => any>} [columns] */
export function toCsv(rows, columns = COLUMNS) {
  const lines = rows.map((row) => Object.values(columns).map((value) => cell(value(row))));
  return [Object.keys(columns), ...lines].map((values) => values.join(",")).join("\r\n");
}

/** Hand over a file; a spreadsheet needs the mark at its beginning to take it for UTF-8. */
export function save(text, name, type = "text/csv") {
  const parts = type === "text/csv" ? ["\ufeff", text] : [text];
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}

/** @param {object} wanted what `/tracks` understands */
export async function saveCsv(wanted) {
  const rows = [];
  for (;;) {
    const page = await get(`/tracks?${query({ ...wanted, offset: rows.length, limit: PAGE })}`);
    rows.push(...page.tracks);
    if (!page.tracks.length || rows.length >= page.total) break;
  }
  save(toCsv(rows), "tonearm.csv");
}
