// One file on its way, and what it is.
import { predict } from "./api.js";
import { el, button, clock, percent } from "./dom.js";
import { nameOf, swatch } from "./genres.js";
import { makePicture } from "./picture.js";
import * as player from "./player.js";
import { verdict, lower } from "./words.js";

let numbers = 0;

/** A card for a file; `analyse()` sends it, and resolves whatever becomes of it. */
export function makeCard(file, { onremove }) {
  const key = `card-${(numbers += 1)}`;
  const source = URL.createObjectURL(file);
  const stop = new AbortController();
  const name = file.name || "Recording";
  const title = el("h2", { class: "what", id: `${key}-name` }, "Waiting");
  const words = el("p", { class: "verdict" });
  const confidence = el("span", { class: "confidence" });
  const progress = el("progress", { max: 1, value: 0, "aria-label": `Analysing ${name}` });
  const body = el("div", { class: "body" }, progress);
  const now = el("p", { class: "now" });
  const playing = button("▶", toggle, {
    class: "play",
    "aria-label": `Play ${name}`,
    disabled: true,
  });
  const away = button("×", remove, { class: "plain away", "aria-label": `Remove ${name}` });
  const icon = el("span", { class: "icon", "aria-hidden": "true" });
  const label = el("p", { class: "file" }, name);
  const node = el(
    "li",
    { class: "card waiting", "aria-labelledby": `${key}-name` },
    el(
      "div",
      { class: "head" },
      playing,
      icon,
      el("div", { class: "said" }, title, words),
      confidence,
      away,
    ),
    el("div", { class: "line" }, label, now),
    body,
  );
  const picture = makePicture({ label: name, onseek: (seconds) => play(seconds) });
  let [answer, unwatch] = [null, null];

  const sound = { key, source, title: name };
  const play = (seconds) => player.play(sound, seconds);
  function toggle() {
    player.toggle(sound);
  }

  function remove() {
    stop.abort();
    player.stop(key);
    unwatch?.();
    picture.destroy();
    URL.revokeObjectURL(source);
    node.remove();
    onremove(card);
  }

  function bad(message) {
    node.className = "card bad";
    title.textContent = "Could not be read";
    words.textContent = message;
    body.replaceChildren();
  }

  function show(values) {
    if (values.error) return bad(values.error.message);
    answer = values;
    node.className = values.genre ? "card" : "card unknown";
    title.textContent = values.genre ? nameOf(values.genre) : "Unknown";
    words.textContent = verdict(values);
    icon.replaceChildren(swatch(values.genre, "large"));
    const meter = el("meter", {
      min: 0,
      max: 1,
      value: values.confidence,
      "aria-label": "Confidence",
    });
    confidence.replaceChildren(meter, el("span", {}, percent(values.confidence)));
    label.textContent = `${name} · ${clock(values.duration_s)}`;
    const warnings = (values.warnings ?? []).join("; ");
    if (warnings) body.before(el("p", { class: "warning" }, warnings));
    picture.setTimeline(values.timeline, values.duration_s);
    body.replaceChildren(picture.node);
    playing.disabled = false;
    unwatch = player.watch(follow);
  }

  function follow(state) {
    const mine = state.key === key;
    const runs = mine && !state.paused;
    if (node.classList.contains("playing") !== runs) {
      node.classList.toggle("playing", runs);
      playing.textContent = runs ? "❚❚" : "▶";
      playing.setAttribute("aria-label", `${runs ? "Pause" : "Play"} ${name}`);
    }
    if (!mine) {
      if (now.textContent) now.textContent = "";
      return;
    }
    picture.setTime(state.time);
    const part = picture.partAt(state.time);
    const sound = part?.genre ? `${lower(part.genre)}, ${percent(part.confidence)}` : "unknown";
    const text = `${clock(state.time)}  ${part ? sound : ""}`;
    if (now.textContent !== text) now.textContent = text;
  }

  function report(values) {
    if (values.sent !== undefined) {
      title.textContent = values.sent < 1 ? "Sending" : "Waiting";
      progress.value = values.sent * 0.2;
    } else if (values.progress !== undefined && !answer) {
      title.textContent = "Analysing";
      progress.value = 0.2 + 0.8 * values.progress;
    } else if (values.answer) show(values.answer);
    else if (values.picture) picture.setPicture(values.picture);
  }

  const card = {
    node,
    name,
    remove,
    get answer() {
      return answer;
    },
    get failed() {
      return node.classList.contains("bad");
    },
    async analyse() {
      if (stop.signal.aborted) return;
      try {
        await predict(file, { report, signal: stop.signal, options: "timeline=true&draw=true" });
        if (!answer && !card.failed) bad("no answer came");
      } catch (error) {
        if (!answer) bad(error.message);
      }
    },
  };
  return card;
}
