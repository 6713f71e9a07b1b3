// Title, artist and genre as a file states them, for people: ID3v2 and Vorbis comments, no more.

/** @typedef {{title?: string, artist?: string, genres: string[]}} About */

const ID3 = { TIT2: "title", TPE1: "artist", TCON: "genres" };
const VORBIS = { TITLE: "title", ARTIST: "artist", GENRE: "genres" };
const MOST_BYTES = 1 << 16; // comments that stand behind a picture are not looked for

/** @param {About} about @param {string|undefined} field @param {string} text */
function put(about, field, text) {
  if (field === "genres") about.genres.push(...text.split("\0").filter(Boolean));
  else if (field === "title" || field === "artist") about[field] ??= text.split("\0")[0];
}

/** @param {DataView} view @param {About} about */
function id3(view, about) {
  const size = (/** @type {number} */ at, /** @type {number} */ bits) =>
    [0, 1, 2, 3].reduce((sum, i) => (sum << bits) | view.getUint8(at + i), 0);
  const version = view.getUint8(3);
  const end = Math.min(10 + size(6, 7), view.byteLength);
  for (let at = 10; at + 11 < end; ) {
    const name = String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
    const length = size(at + 4, version === 4 ? 7 : 8);
    if (!/^[A-Z0-9]{4}$/.test(name) || length < 1 || at + 10 + length > end) return;
    const encoding = ["latin1", "utf-16", "utf-16be", "utf-8"][view.getUint8(at + 10)];
    const field = ID3[/** @type {keyof typeof ID3} */ (name)];
    if (field && encoding) {
      const bytes = new Uint8Array(view.buffer, at + 11, length - 1);
      put(about, field, new TextDecoder(encoding).decode(bytes).replace(/\0+$/, ""));
    }
    at += 10 + length;
  }
}

/**
 * NAME=text, wherever the block of comments begins.
 *
 * @param {Uint8Array} bytes
 * @param {About} about
 */
function vorbis(bytes, about) {
  const text = new TextDecoder("utf-8").decode(bytes.subarray(0, MOST_BYTES));
  for (const [, name, value] of text.matchAll(/(TITLE|ARTIST|GENRE)=(\P{Cc}*)/giu)) {
    const field = VORBIS[/** @type {keyof typeof VORBIS} */ (name.toUpperCase())];
    put(about, field, value.replace(/\ufffd.*$/, ""));
  }
}

/** @param {ArrayBuffer} data @returns {About} */
export function readTags(data) {
  /** @type {About} */
  const about = { genres: [] };
  const bytes = new Uint8Array(data);
  const first = String.fromCharCode(...bytes.subarray(0, 4));
  try {
    if (first.startsWith("ID3")) id3(new DataView(data), about);
    else if (first === "fLaC" || first === "OggS") vorbis(bytes, about);
  } catch {
    // Damaged tags only cost the words.
  }
  return about;
}
