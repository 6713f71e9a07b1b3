// One track of the library: picture, timeline, similar tracks, and the review.
import { get } from "./api.js";
import { saidOf } from "./columns.js";
import { el, button, clock, percent } from "./dom.js";
import { badge, nameOf, swatch } from "./genres.js";
import { makeCover } from "./cover.js";
import { makePicture } from "./picture.js";
import * as player from "./player.js";
import { makeWhy } from "./reasons.js";
import { soundOf } from "./sounds.js";
import { verdict, lower } from "./words.js";

/** @typedef {import("./api.js").Track} Track */

const WAIT_MS = 250; // who leafs through quickly asks nothing of the server

/** A network has no reasons, which is no fault. */
const ifNone = (error) => {
  if (error.status === 409) return null;
  throw error;
};

/**
 * The panel of the current track.
 *
 * @param {{act: (verdict: string) => void, onclose: () => void, onopen: (row: Track) => void,
 *   large?: boolean, startOf?: (row: Track) => Promise<number>}} how `startOf` says from where a
 *   track is played at first
 */
export function makeDetail({ act, onclose, onopen, large = false, startOf = async () => 0 }) {
  const node = el("aside", { class: large ? "detail large" : "detail", "aria-label": "Track" });
  node.hidden = true;
  /** @type {?Track} */
  let shown = null;
  let [picture, stop, timer, unwatch, now] = [null, null, 0, null, null];

  /** @param {?Track} row */
  function show(row) {
    player.setShown(row && !node.closest("[hidden]") ? soundOf(row).key : null);
    if (row && shown && row.id === shown.id) return refresh(row);
    leave();
    shown = row;
    node.hidden = !row;
    if (!row) return;
    stop = new AbortController();
    const facts = el("div", { class: "facts" });
    const like = el("div", { class: "like" });
    const sounds = el("div", { class: "sounds" });
    const reasons = el("div", { class: "reasons" });
    now = el("p", { class: "now" });
    picture = makePicture({ label: row.title || row.name, onseek: (at) => play(at) });
    node.replaceChildren(head(row), sounds, picture.node, acts(), reasons, facts, like);
    drawSound(sounds, row, null);
    picture.node.hidden = Boolean(row.error);
    refresh(row);
    unwatch = player.watch(follow);
    // What plays is what is looked at: another one would be mistaken for it.
    const wasPlaying = player.isPlaying();
    timer = window.setTimeout(() => {
      if (wasPlaying && !row.error) begin(row);
      fetchAll(row, { facts, like, sounds, reasons });
    }, WAIT_MS);
  }

  function leave() {
    stop?.abort();
    unwatch?.();
    picture?.destroy();
    clearTimeout(timer);
    [stop, unwatch, picture] = [null, null, null];
  }

  const play = (at = null) =>
    shown &&
    player.play(
      soundOf(shown, () => onopen(shown)),
      at,
    );

  /** @param {Track} row */
  async function begin(row) {
    const at = await startOf(row);
    if (shown === row) play(at);
  }

  /** @param {Track} row */
  function head(row) {
    const playing = button("▶", toggle, { class: "play", "aria-label": "Play" });
    const length = row.duration_s ? clock(row.duration_s) : "";
    const said = [row.artist, row.album, length].filter(Boolean).join(" · ");
    const close = button("×", onclose, { class: "plain away", "aria-label": "Close track" });
    return el(
      "div",
      { class: "head" },
      makeCover(row),
      playing,
      el("div", { class: "said" }, el("h2", {}, row.title || row.name), el("p", {}, said), now),
      large ? null : close,
    );
  }

  /** The genre by sound; of the whole track as soon as it is known, next to that of the scan. */
  function drawSound(place, row, whole) {
    if (row.error) {
      place.replaceChildren(
        el("p", { class: "warning" }, `Could not be read: ${row.error.message}`),
      );
      return;
    }
    const best = whole ?? row;
    const words = `${best.genre ? "" : "unknown: "}${verdict(best)}`;
    const scan = row.genre ? `${lower(row.genre)}, ${percent(row.confidence)}` : "unknown";
    const now = best.genre ? `${lower(best.genre)}, ${percent(best.confidence)}` : "unknown";
    const differs = whole && scan !== now;
    const other = row.genre === best.genre ? "span" : "strong";
    place.replaceChildren(
      el(
        "p",
        { class: "verdict-line" },
        swatch(best.genre, "middle"),
        el("span", { class: "words" }, words),
        el("span", { class: "confidence" }, percent(best.confidence)),
      ),
      el(
        "p",
        { class: "basis quiet" },
        whole ? "By the whole track. " : "By a few windows, as scanned. ",
        differs ? el(other, {}, `By a few windows, as scanned: ${scan}.`) : "",
      ),
    );
  }

  function acts() {
    const one = (text, said, key) =>
      button(text, () => act(said), {
        "data-verdict": said,
        "aria-keyshortcuts": key,
        title: `Key ${key}`,
      });
    return el(
      "div",
      { class: "acts", role: "group", "aria-label": "Review" },
      one("Accept", "accept", "A"),
      one("Change…", "change", "C"),
      one("Reject", "reject", "R"),
      one("Forget", "clear", "U"),
    );
  }

  /** @param {Track} row */
  function refresh(row) {
    shown = row;
    for (const control of node.querySelectorAll("[data-verdict]")) {
      control.setAttribute("aria-pressed", String(row.review?.verdict === control.dataset.verdict));
      control.disabled = Boolean(row.error);
    }
  }

  async function fetchAll(row, places) {
    const signal = stop.signal;
    const drawn = picture;
    const ask = (path) => get(path, { signal });
    places.facts.append(...factsOf(row));
    if (row.error) return;
    const results = await Promise.allSettled([
      ask(`/tracks/${row.id}/picture`).then(
        (values) => drawn.setPicture(values),
        (error) => {
          // Nothing will ever be drawn there: an empty box would look like waiting.
          if (error.name !== "AbortError") drawn.node.hidden = true;
          throw error;
        },
      ),
      ask(`/tracks/${row.id}/timeline`).then(async (values) => {
        drawn.setTimeline(values.timeline, values.duration_s);
        drawSound(places.sounds, row, values);
        places.facts.querySelector(".probabilities")?.replaceWith(barsOf(values.probabilities));
        // The server has both from one analysis, so this one is there at once.
        const reasons = await ask(`/tracks/${row.id}/reasons`).catch(ifNone);
        const seek = (at) => play(at);
        places.reasons.append(makeWhy({ reasons, prediction: values, seek, row, onopen }));
      }),
      ask(`/similar/${row.id}?count=6`).then((answer) => places.like.append(...alikeOf(answer))),
    ]);
    const reasons = results.flatMap((result) => ("reason" in result ? [result.reason] : []));
    const faults = reasons.filter((reason) => reason.name !== "AbortError");
    // A file that is gone fails each of them in the same words.
    for (const message of new Set(faults.map((reason) => reason.message)))
      places.facts.append(el("p", { class: "warning" }, message));
  }

  /** @param {Track} row */
  function factsOf(row) {
    const tag = row.genres.length ? row.genres.join(", ") : "none";
    const lines = [
      ["Genre tag", row.genres.length && row.by_tonearm ? `${tag} (by Tonearm)` : tag],
      ["File", row.path],
      ["Damage", row.warning],
    ];
    const list = el("dl", {});
    for (const [term, text] of lines) if (text) list.append(el("dt", {}, term), el("dd", {}, text));
    return [row.error ? "" : barsOf(row.probabilities), list];
  }

  function barsOf(probabilities) {
    const bars = Object.entries(probabilities)
      .slice(0, large ? 10 : 4)
      .map(([genre, value]) =>
        el(
          "li",
          {},
          badge(genre),
          el("meter", { min: 0, max: 1, value, "aria-label": nameOf(genre) }),
          el("span", { class: "confidence" }, percent(value)),
        ),
      );
    return el("ul", { class: "probabilities", "aria-label": "Most likely genres" }, ...bars);
  }

  function alikeOf({ tracks }) {
    if (!tracks.length) return [];
    const rows = tracks.map((row) => {
      const sound = soundOf(row, () => onopen(row));
      const start = button("", () => player.toggle(sound), {
        class: "part",
        "aria-label": `Play ${sound.title}`,
      });
      start.append(badge(row.genre, sound.title), saidOf(row));
      return el("li", {}, start);
    });
    return [el("h3", {}, "Sounds like"), el("ul", {}, ...rows)];
  }

  function toggle() {
    if (!shown || shown.error) return;
    if (player.playing() === soundOf(shown).key) player.toggle(soundOf(shown));
    else begin(shown);
  }

  function follow(state) {
    const mine = state.key === soundOf(shown).key;
    const runs = mine && !state.paused;
    const playing = node.querySelector(".play");
    const symbol = runs ? "❚❚" : "▶";
    if (playing.textContent !== symbol) {
      playing.textContent = symbol;
      playing.setAttribute("aria-label", runs ? "Pause" : "Play");
    }
    if (!mine) return;
    picture.setTime(state.time);
    const part = picture.partAt(state.time);
    const text = `${clock(state.time)}  ${part ? lower(part.genre) : ""}`;
    if (now.textContent !== text) now.textContent = text;
  }

  return { node, show, toggle, play, refresh };
}
