// Why a track is what it is: moods and styles, telling windows to listen to, and the nearest
// tracks with what a person said of them.
import { get } from "./api.js";
import { el, button, clock, percent } from "./dom.js";
import { badge, nameOf } from "./genres.js";
import * as player from "./player.js";

/** Pairs of a name and a number, whichever of the two forms the server has. */
const pairs = (values) =>
  Array.isArray(values)
    ? values.map((value) => [value.name ?? value.tag ?? value[0], value.weight ?? value[1] ?? 0])
    : Object.entries(values ?? {});

/**
 * @param {any} values a prediction with `reasons`
 * @param {{seek: (at: number) => void, row: import("./api.js").Track,
 *   onopen: (row: any) => void}} how
 */
export function makeReasons({ reasons, probabilities }, { seek, row, onopen }) {
  const node = el("section", { class: "why", "aria-label": "Why" }, el("h3", {}, "Why"));
  const tags = pairs(reasons.tags).slice(0, 6);
  if (tags.length)
    node.append(
      el("ul", { class: "chips" }, ...tags.map(([name]) => el("li", { class: "chip" }, name))),
    );
  const windows = reasons.windows ?? [];
  if (windows.length) node.append(el("p", { class: "quiet" }, "Most typical moments"));
  const moments = windows.slice(0, 5).map((window) => {
    const at = window.start_s ?? window;
    const text = window.probability ? `${clock(at)} · ${percent(window.probability)}` : clock(at);
    return button(`▶ ${text}`, () => seek(at), { "aria-label": `Play from ${clock(at)}` });
  });
  if (moments.length) node.append(el("div", { class: "moments" }, ...moments));
  const second = Object.keys(probabilities ?? {})[1];
  if (second) node.append(compare(row, second, onopen));
  return node;
}

/** A button that plays the nearest track of the second genre, and this one again. */
function compare(row, second, onopen) {
  let other = null;
  const text = `Compare with the nearest ${nameOf(second)}`;
  const node = button(text, async () => {
    other ??= (await get(`/similar/${row.id}?count=100`)).tracks.find(
      (track) => track.genre === second,
    );
    if (!other) {
      node.textContent = `No ${nameOf(second)} track sounds like this one`;
      node.disabled = true;
      return;
    }
    const { soundOf } = await import("./detail.js");
    const mine = player.playing() === soundOf(row).key;
    const next = mine ? other : row;
    player.play(soundOf(next, () => onopen(next)));
    node.replaceChildren(badge(next.genre, `B/A: ${next.title || next.name}`));
  });
  return node;
}
