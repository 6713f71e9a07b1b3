// One track of the library: picture, timeline, similar tracks, and the review.
import { Problem, get } from "./api.js";
import { saidOf } from "./columns.js";
import { asError, button, clock, el, percent } from "./dom.js";
import { badge, kindOf, nameOf, swatch } from "./genres.js";
import { makeCover } from "./cover.js";
import { makePicture } from "./picture.js";
import * as player from "./player.js";
import { makeWhy } from "./reasons.js";
import { soundOf } from "./sounds.js";
import { inShort, verdict, lower } from "./words.js";

/** @typedef {import("./api.js").Track} Track */
/** @typedef {import("./api.js").Prediction} Prediction */
/** @typedef {ReturnType<typeof makePicture>} Drawn */
/** @typedef {Record<"facts" | "like" | "sounds" | "reasons", HTMLElement>} Places */

const MOST_BARS = { large: 10, small: 4 };
const WAIT_MS = 250; // who leafs through quickly asks nothing of the server

/** A network has no reasons, which is no fault. @param {unknown} error */
const ifNone = (error) => {
  if (error instanceof Problem && error.status === 409) return null;
  throw error;
};

/** Whether the page itself gave a request up, as when one leafs on. @param {unknown} error */
const isGivenUp = (error) => asError(error).name === "AbortError";

/**
 * The panel of the current track.
 *
 * @param {{act: (verdict: string) => void, onclose: () => void, onopen: (row: Track) => void,
 *   large?: boolean, startOf?: (row: Track) => Promise<number>}} how `startOf` says from where a
 *   track is played at first
 */
export function makeDetail(how) {
  const { act, onclose, onopen, large = false, startOf = async () => 0 } = how;
  const node = el("aside", { class: large ? "detail large" : "detail", "aria-label": "Track" });
  node.hidden = true;
  /** @type {?Track} */
  let shown = null;
  /** @type {?Drawn} */
  let picture = null;
  let stop = new AbortController(); // of what is asked for the track that is shown
  /** @type {?() => void} */
  let unwatch = null;
  let timer = 0;
  /** @type {?number} where the most typical stretch begins, as the reasons say */
  let typical = null;
  const now = el("p", { class: "now" });

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
    const drawn = makePicture({ label: row.title || row.name, onseek: (at) => play(at) });
    picture = drawn;
    now.textContent = "";
    node.replaceChildren(head(row), sounds, drawn.node, acts(), reasons, facts, like);
    drawSound(sounds, row, null, true);
    drawn.node.hidden = Boolean(row.error);
    refresh(row);
    unwatch = player.watch(follow);
    // What plays is what is looked at: another one would be mistaken for it.
    const wasPlaying = player.isPlaying();
    timer = window.setTimeout(() => {
      if (wasPlaying && !row.error) begin(row);
      fetchAll(row, drawn, { facts, like, sounds, reasons });
    }, WAIT_MS);
  }

  function leave() {
    stop.abort();
    unwatch?.();
    picture?.destroy();
    clearTimeout(timer);
    [unwatch, picture, typical] = [null, null, null];
  }

  /** @param {?number} [at] seconds; null goes on where it was */
  function play(at = null) {
    const row = shown;
    if (row)
      player.play(
        soundOf(row, () => onopen(row)),
        at,
      );
  }

  /** @param {Track} row */
  async function begin(row) {
    // By the whole track, once it is analysed: a few windows may take another stretch for typical.
    const at = (large ? typical : null) ?? (await startOf(row));
    if (shown === row) play(at); // or somebody went on meanwhile
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

  /**
   * The genre by sound; of the whole track as soon as it is known, next to that of the scan: the
   * list has that of the scan, and the two may differ.
   *
   * @param {HTMLElement} place
   * @param {Track} row
   * @param {?Prediction} whole
   * @param {boolean} [coming] whether that of the whole track is on its way
   */
  function drawSound(place, row, whole, coming = false) {
    if (row.error) {
      place.replaceChildren(
        el("p", { class: "warning" }, `Could not be read: ${row.error.message}`),
      );
      return;
    }
    const best = whole ?? row;
    const words = `${best.genre ? "" : `${lower(kindOf(best))}: `}${verdict(best)}`;
    const [scan, found] = [inShort(row), inShort(best)];
    const differs = whole && scan !== found;
    const other = kindOf(row) === kindOf(best) ? "span" : "strong";
    place.replaceChildren(
      el(
        "p",
        { class: "verdict-line" },
        swatch(kindOf(best), "middle"),
        el("span", { class: "words" }, words),
        // The figure of an unknown sound, or of a mix, would be that of a genre that it is not.
        el("span", { class: "confidence" }, best.genre ? percent(best.confidence) : ""),
      ),
      el(
        "p",
        { class: "basis quiet" },
        whole ? "From the whole track. " : "From a few windows, as scanned. ",
        differs ? el(other, {}, `From a few windows, as scanned: ${scan}.`) : "",
        coming ? "The whole track is being analysed." : "",
      ),
    );
  }

  function acts() {
    /** @param {string} text @param {string} said @param {string} key */
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
      one("Clear", "clear", "U"),
    );
  }

  /** Show the review of a row that may have been reviewed. @param {Track} row */
  function refresh(row) {
    shown = row;
    /** @type {NodeListOf<HTMLButtonElement>} */
    const controls = node.querySelectorAll("[data-verdict]");
    for (const control of controls) {
      control.setAttribute("aria-pressed", String(row.review?.verdict === control.dataset.verdict));
      control.disabled = Boolean(row.error);
    }
  }

  /**
   * Fill in what takes time: each part where it belongs, as it comes.
   *
   * @param {Track} row
   * @param {Drawn} drawn
   * @param {Places} places
   */
  async function fetchAll(row, drawn, places) {
    const signal = stop.signal;
    const ask = (/** @type {string} */ path) => get(path, { signal });
    places.facts.append(...factsOf(row));
    if (row.error) return;
    const results = await Promise.allSettled([
      ask(`/tracks/${row.id}/picture`).then(
        (values) => drawn.setPicture(values),
        (error) => {
          // Nothing will ever be drawn there: an empty box would look like waiting.
          if (!isGivenUp(error)) drawn.node.hidden = true;
          throw error;
        },
      ),
      ask(`/tracks/${row.id}/timeline`).then(
        async (values) => {
          drawn.setTimeline(values.timeline, values.duration_s);
          drawSound(places.sounds, row, values);
          places.facts.querySelector(".probabilities")?.replaceWith(barsOf(values));
          // The server has both from one analysis, so this one is there at once.
          /** @type {?import("./api.js").Reasons} */
          const reasons = await ask(`/tracks/${row.id}/reasons`).catch(ifNone);
          if (reasons && !signal.aborted) typical = reasons.typical_s[0];
          const seek = (/** @type {number} */ at) => play(at);
          places.reasons.append(makeWhy({ reasons, prediction: values, seek, row, onopen }));
        },
        (error) => {
          drawSound(places.sounds, row, null);
          throw error;
        },
      ),
      ask(`/similar/${row.id}?count=6`).then((answer) => places.like.append(...alikeOf(answer))),
    ]);
    const thrown = results.flatMap((result) => ("reason" in result ? [result.reason] : []));
    const faults = thrown.filter((reason) => !isGivenUp(reason));
    // A file that is gone fails each of them in the same words.
    for (const message of new Set(faults.map((reason) => asError(reason).message)))
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
    return [row.error ? "" : barsOf(row), list];
  }

  /** What it may be; of a mix, what it consists of. @param {Track | Prediction} said */
  function barsOf({ mix, probabilities }) {
    const label = mix ? "Its genres" : "Most likely genres";
    const bars = Object.entries(mix ?? probabilities)
      .slice(0, large ? MOST_BARS.large : MOST_BARS.small)
      .map(([genre, value]) =>
        el(
          "li",
          {},
          badge(genre),
          el("meter", { min: 0, max: 1, value, "aria-label": nameOf(genre) }),
          el("span", { class: "confidence" }, percent(value)),
        ),
      );
    return el("ul", { class: "probabilities", "aria-label": label }, ...bars);
  }

  /** What sounds like it, with what a person said of that. @param {{tracks: Track[]}} answer */
  function alikeOf({ tracks }) {
    if (!tracks.length) return [];
    const rows = tracks.map((row) => {
      const sound = soundOf(row, () => onopen(row));
      const start = button("", () => player.toggle(sound), { class: "part" });
      start.append(badge(kindOf(row), sound.title), " ", saidOf(row));
      start.setAttribute("aria-label", `Play ${start.textContent.trim()}`);
      return el("li", {}, start);
    });
    return [el("h3", {}, "Sounds like"), el("ul", {}, ...rows)];
  }

  function toggle() {
    if (!shown || shown.error) return;
    if (player.playing() === soundOf(shown).key) player.toggle(soundOf(shown));
    else begin(shown);
  }

  /** @param {player.State} state */
  function follow(state) {
    const mine = shown !== null && state.key === soundOf(shown).key;
    const runs = mine && !state.paused;
    const playing = /** @type {HTMLElement} */ (node.querySelector(".play"));
    const symbol = runs ? "❚❚" : "▶";
    if (playing.textContent !== symbol) {
      playing.textContent = symbol;
      playing.setAttribute("aria-label", runs ? "Pause" : "Play");
    }
    if (!mine || !picture) return;
    picture.setTime(state.time);
    const part = picture.partAt(state.time);
    const text = `${clock(state.time)}  ${part ? lower(part.genre) : ""}`;
    if (now.textContent !== text) now.textContent = text;
  }

  return { node, show, toggle, play, refresh };
}
