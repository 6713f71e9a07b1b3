// Why a track is what it is: what spoke for its genre and for the next one, moments to listen to,
// and a comparison with the nearest track of that next genre.
import { get } from "./api.js";
import { button, clock, el, fail } from "./dom.js";
import { badge, kindOf, nameOf } from "./genres.js";
import * as player from "./player.js";
import { soundOf } from "./sounds.js";

/** @typedef {import("./api.js").Reasons} Reasons */
/** @typedef {import("./api.js").Track} Track */

const WORDS = 8; // styles and moods, of up to 60
const BANDS = 3; // of the second encoder's, which has many and none of them strong

/** @param {number} hz */
const kilo = (hz) => (hz / 1000).toFixed(1);

/** @param {{low_hz: number, high_hz: number, amount: number}[]} bands */
const strongest = (bands) =>
  bands.toSorted((a, b) => Math.abs(b.amount) - Math.abs(a.amount)).slice(0, BANDS);

/**
 * What spoke for the genre (to the right) and for the next one (to the left), and when.
 *
 * @param {Reasons} reasons
 * @param {(at: number) => void} seek plays from there
 * @returns {HTMLElement[]}
 */
export function drawReasons(reasons, seek) {
  const [genre, against] = [nameOf(reasons.genre), nameOf(reasons.against)];
  const rows = [
    ...reasons.tags.map(({ tag, amount }) => ({ name: tag, amount })),
    ...strongest(reasons.bands).map(({ low_hz, high_hz, amount }) => ({
      name: `movement, ${kilo(low_hz)}–${kilo(high_hz)} kHz`,
      amount,
    })),
  ];
  // The longest bar is full; where nothing speaks for either, none looks as if it did.
  const most = Math.max(0.01, ...rows.map((row) => Math.abs(row.amount)));
  return [
    el(
      "p",
      { class: "sides" },
      el("span", {}, `← for ${against}`),
      el("span", {}, `for ${genre} →`),
    ),
    el(
      "ul",
      { class: "shares", "aria-label": `What points to ${genre} and to ${against}` },
      ...rows.map(({ name, amount }) => share(name, amount, most, amount < 0 ? against : genre)),
    ),
    el("p", { class: "quiet" }, `Moments that point most to ${genre}`),
    el("div", { class: "moments" }, ...moments(reasons).map((span) => moment(span, seek))),
  ];
}

/** @param {string} name @param {number} amount @param {number} most @param {string} side */
function share(name, amount, most, side) {
  const bar = el("span", { class: amount < 0 ? "part-of against" : "part-of" });
  bar.style.setProperty("width", `${(50 * Math.abs(amount)) / most}%`);
  const track = el("span", { class: "both", "aria-hidden": "true" }, bar);
  const said = el("span", { class: "unseen" }, `points to ${side}, by ${Math.abs(amount)}`);
  return el("li", {}, el("span", {}, name), track, said);
}

/** @param {Reasons} reasons the most typical stretch, then the single windows */
function moments({ typical_s, windows }) {
  const [start, end] = typical_s;
  return [{ start_s: start, end_s: end, typical: true }, ...windows];
}

/**
 * @param {{start_s: number, end_s: number, typical?: boolean}} span
 * @param {(at: number) => void} seek
 */
function moment({ start_s, end_s, typical }, seek) {
  const text = `▶ ${clock(start_s)}–${clock(end_s)}`;
  return button(typical ? `${text}, most typical` : text, () => seek(start_s));
}

/**
 * Styles and moods of a prediction; nothing where there are none.
 *
 * @param {{styles?: Record<string, number>, tags?: Record<string, number>}} values
 * @returns {HTMLElement[]} one list, or none
 */
function wordsOf({ styles, tags }) {
  const words = [...new Set([...Object.keys(styles ?? {}), ...Object.keys(tags ?? {})])];
  if (!words.length) return [];
  const chips = words.slice(0, WORDS).map((text) => el("li", { class: "chip" }, text));
  return [el("ul", { class: "chips", "aria-label": "Styles and moods" }, ...chips)];
}

/**
 * Why a track of the library has its genre.
 *
 * @param {{reasons: ?Reasons, prediction: import("./api.js").Prediction, row: Track,
 *   seek: (at: number) => void, onopen: (row: Track) => void}} what `reasons` is null for a
 *   network, which has none
 * @returns {HTMLElement}
 */
export function makeWhy({ reasons, prediction, row, seek, onopen }) {
  const node = el("section", { class: "why", "aria-label": "Why" }, el("h3", {}, "Why"));
  node.append(...wordsOf(prediction));
  if (reasons) node.append(...drawReasons(reasons, seek));
  const second = reasons?.against ?? Object.keys(prediction.probabilities ?? {})[1];
  if (second) node.append(compare(row, second, onopen));
  return node;
}

/**
 * A button that plays the nearest track of the second genre, and this one again.
 *
 * @param {Track} row
 * @param {string} second
 * @param {(row: Track) => void} onopen
 */
function compare(row, second, onopen) {
  /** @type {Track | undefined} */
  let other;
  const node = button(`Compare with the nearest ${nameOf(second)}`, () => next().catch(fail), {
    class: "compare",
  });
  async function next() {
    const path = `/similar/${row.id}?count=1&genre=${encodeURIComponent(second)}`;
    other ??= (await get(path)).tracks[0];
    if (!other) {
      node.textContent = `No ${nameOf(second)} in the library to compare with`;
      node.disabled = true;
      return;
    }
    // A and B in turn: what is not to be heard yet.
    const chosen = player.playing() === soundOf(other).key ? row : other;
    player.play(soundOf(chosen, () => onopen(chosen)));
    node.replaceChildren(badge(kindOf(chosen), `Plays: ${chosen.title || chosen.name}. Switch`));
  }
  return node;
}
