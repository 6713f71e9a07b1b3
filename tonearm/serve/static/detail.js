// One track of the library: picture, timeline, similar tracks, and the review.
import { get } from "./api.js";
import { el, button, clock, percent, toast } from "./dom.js";
import { badge, nameOf, swatch } from "./genres.js";
import { makePicture } from "./picture.js";
import * as player from "./player.js";
import { verdict, lower } from "./words.js";

const WAIT_MS = 250; // who leafs through quickly asks nothing of the server

export function makeDetail({ act, onclose }) {
  const node = el("aside", { class: "detail", "aria-label": "Track", hidden: true });
  let [shown, picture, stop, timer, unwatch] = [null, null, null, 0, null];

  const source = (id) => `/api/tracks/${id}/audio`;
  const key = (id) => `track-${id}`;
  const fail = (error) => toast(error.message, { bad: true });

  function play(seconds = null) {
    if (shown) player.play(key(shown.id), source(shown.id), seconds).catch(fail);
  }

  function show(row) {
    if (row && shown && row.id === shown.id) return refresh(row);
    stop?.abort();
    unwatch?.();
    clearTimeout(timer);
    if (shown) player.stop(key(shown.id));
    shown = row;
    node.hidden = !row;
    if (!row) return;
    stop = new AbortController();
    const title = row.title || row.name;
    const now = el("p", { class: "now" });
    const playing = button("▶", toggle, { class: "play", "aria-label": "Play" });
    const facts = el("div", { class: "facts" });
    const like = el("div", { class: "like" });
    picture = makePicture({ label: title, onseek: play });
    const away = button("×", onclose, { class: "plain away", "aria-label": "Close track" });
    node.replaceChildren(
      el(
        "div",
        { class: "head" },
        playing,
        el(
          "div",
          { class: "said" },
          el("h2", {}, title),
          el(
            "p",
            {},
            [row.artist, row.duration_s && clock(row.duration_s)].filter(Boolean).join(" · "),
          ),
          now,
        ),
        away,
      ),
      heading(row),
      picture.node,
      words(),
      facts,
      like,
    );
    refresh(row);
    unwatch = player.watch((state) => follow(state, row, playing, now));
    timer = setTimeout(() => fetchAll(row, facts, like), WAIT_MS);
  }

  const heading = (row) =>
    row.error
      ? el("p", { class: "warning" }, `Could not be read: ${row.error.message}`)
      : el(
          "p",
          { class: "sounds" },
          swatch(row.genre, "middle"),
          el(
            "span",
            { class: "words" },
            `${row.genre ? "" : "unknown: "}${verdict({ ...row, probabilities: {} })}`,
          ),
          el("span", { class: "confidence" }, percent(row.confidence)),
        );

  function words() {
    const one = (text, verdict, hint) =>
      button(text, () => act(verdict), {
        "data-verdict": verdict,
        "aria-keyshortcuts": hint,
        title: `Key ${hint}`,
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

  function refresh(row) {
    shown = row;
    for (const control of node.querySelectorAll("[data-verdict]")) {
      control.setAttribute("aria-pressed", String(row.review?.verdict === control.dataset.verdict));
      control.disabled = Boolean(row.error);
    }
  }

  async function fetchAll(row, facts, like) {
    const signal = stop.signal;
    const quietly = (error) =>
      error.name !== "AbortError" && facts.append(el("p", { class: "warning" }, error.message));
    const whole = get(`/api/tracks/${row.id}`, { signal }).then((track) =>
      facts.prepend(...factsOf(track)),
    );
    const drawn = get(`/api/tracks/${row.id}/picture`, { signal }).then((values) =>
      picture.setPicture(values),
    );
    const parts = get(`/api/tracks/${row.id}/timeline`, { signal }).then((values) =>
      picture.setTimeline(values.timeline, values.duration_s),
    );
    const alike = get(`/api/similar/${row.id}?count=6`, { signal }).then(({ tracks }) =>
      like.append(...alikeOf(tracks)),
    );
    const wanted = row.error ? [whole] : [whole, drawn, parts, alike];
    for (const result of await Promise.allSettled(wanted))
      if (result.status === "rejected") quietly(result.reason);
  }

  function factsOf(track) {
    const bars = Object.entries(track.probabilities)
      .slice(0, 4)
      .map(([genre, value]) =>
        el(
          "li",
          {},
          badge(genre),
          el("meter", { min: 0, max: 1, value, "aria-label": nameOf(genre) }),
          el("span", { class: "confidence" }, percent(value)),
        ),
      );
    const tag = track.genres.length ? track.genres.join(", ") : "none";
    const lines = [
      ["Genre tag", track.by_tonearm ? `${tag} (by Tonearm)` : tag],
      ["Album", track.album],
      ["File", track.path],
      ["Damage", track.warning],
      ["Tags", track.tag_error],
    ];
    const list = el("dl", {});
    for (const [term, text] of lines) if (text) list.append(el("dt", {}, term), el("dd", {}, text));
    return [
      bars.length
        ? el("ul", { class: "probabilities", "aria-label": "Likeliest genres" }, ...bars)
        : "",
      list,
    ];
  }

  function alikeOf(tracks) {
    if (!tracks.length) return [];
    const rows = tracks.map((row) => {
      const name = [row.artist, row.title || row.name].filter(Boolean).join(" – ");
      const play = button("", () => player.toggle(`track-${row.id}`, source(row.id)), {
        class: "part",
        "aria-label": `Play ${name}`,
      });
      play.append(badge(row.genre, name));
      return el("li", {}, play);
    });
    return [el("h3", {}, "Sounds like"), el("ul", {}, ...rows)];
  }

  function toggle() {
    if (shown) Promise.resolve(player.toggle(key(shown.id), source(shown.id))).catch(fail);
  }

  function follow(state, row, playing, now) {
    const mine = state.key === key(row.id);
    const runs = mine && !state.paused;
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

  return { node, show, toggle };
}
