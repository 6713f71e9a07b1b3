// Why a track is what it is: reasons in words, moods and styles, moments to listen to, and a
// comparison with the nearest track of the second genre.
import { get } from "./api.js";
import { soundOf } from "./detail.js";
import { el, button, clock, percent } from "./dom.js";
import { badge, nameOf } from "./genres.js";
import * as player from "./player.js";

const MOMENTS = 4;
const TAGS = 8;

/** The stretches that say the genre most clearly. */
function moments({ timeline, genre, nearest }) {
  return (timeline ?? [])
    .filter((segment) => segment.genre === (genre ?? nearest))
    .sort((a, b) => b.confidence - a.confidence)
    .slice(0, MOMENTS);
}

/**
 * @param {any} values the prediction of the whole track, with moods
 * @param {{seek: (at: number) => void, row: import("./api.js").Track,
 *   onopen: (row: any) => void}} how
 */
export function makeReasons(values, { seek, row, onopen }) {
  const node = el("section", { class: "why", "aria-label": "Why" }, el("h3", {}, "Why"));
  const reasons = values.reasons ?? [];
  if (reasons.length) node.append(el("ul", {}, ...reasons.map((text) => el("li", {}, text))));
  const styles = Object.keys(values.styles ?? {}).slice(0, 3);
  const tags = Object.keys(values.tags ?? {}).slice(0, TAGS);
  const words = [...styles, ...tags.filter((tag) => !styles.includes(tag))];
  if (words.length)
    node.append(el("ul", { class: "chips", "aria-label": "Moods and styles" }, ...words.map(chip)));
  const buttons = moments(values).map((segment) =>
    button(`▶ ${clock(segment.start_s)} · ${percent(segment.confidence)}`, () =>
      seek(segment.start_s),
    ),
  );
  if (buttons.length)
    node.append(
      el("p", { class: "quiet" }, "Most typical moments"),
      el("div", { class: "moments" }, ...buttons),
    );
  const second = Object.keys(values.probabilities ?? {})[1];
  if (second) node.append(compare(row, second, onopen));
  return node;
}

const chip = (text) => el("li", { class: "chip" }, text);

/** A button that plays the nearest track of the second genre, and this one again. */
function compare(row, second, onopen) {
  let other = null;
  const node = button(`Compare with the nearest ${nameOf(second)}`, async () => {
    other ??= (await get(`/similar/${row.id}?count=100`)).tracks.find(
      (track) => track.genre === second,
    );
    if (!other) {
      node.textContent = `No ${nameOf(second)} track sounds like this one`;
      node.disabled = true;
      return;
    }
    const next = player.playing() === soundOf(row).key ? other : row;
    player.play(soundOf(next, () => onopen(next)));
    node.replaceChildren(badge(next.genre, `Plays: ${next.title || next.name}`));
  });
  return node;
}
