// One sound at a time, in one bar that says what plays, whichever view is shown.
import { el, button, clock, toast } from "./dom.js";

/** @typedef {{key: string, source: string, title: string, onopen?: () => void}} Sound */

const audio = new Audio();
const watchers = new Set();
/** @type {?Sound} */
let sound = null;
let [frame, wished] = [0, null];

audio.preload = "metadata";
for (const event of ["play", "pause", "ended", "seeked", "error", "emptied"])
  audio.addEventListener(event, notify);
audio.addEventListener("play", () => (frame ||= requestAnimationFrame(tick)));

function tick() {
  notify();
  frame = audio.paused ? 0 : requestAnimationFrame(tick);
}

function state() {
  return {
    key: sound?.key ?? null,
    time: audio.currentTime,
    duration: Number.isFinite(audio.duration) ? audio.duration : 0,
    paused: audio.paused,
  };
}

function notify() {
  const now = state();
  for (const watcher of watchers) watcher(now);
}

/** Call back at each change and each frame while something plays; gives a function to end it. */
export function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export const isPlaying = () => Boolean(sound) && !audio.paused;
export const playing = () => sound?.key ?? null;

/** How a view names what it shows, so that the bar can say when another sound plays. */
export function setShown(key) {
  wished = key;
  notify();
}

/** @param {Sound} what @param {?number} at seconds */
export async function play(what, at = null) {
  if (sound?.key !== what.key) {
    sound = what;
    audio.src = what.source;
  }
  if (at !== null) audio.currentTime = at;
  notify();
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another was asked for meanwhile
    notify();
    toast(`${what.title}: this browser cannot play this kind of file.`, { bad: true });
  }
}

/** @param {Sound} what */
export const toggle = (what) =>
  sound?.key === what.key && !audio.paused ? audio.pause() : play(what);

/** @param {string} [key] only if this plays */
export function stop(key) {
  if (!sound || (key !== undefined && sound.key !== key)) return;
  audio.pause();
  sound = null;
  audio.removeAttribute("src");
  audio.load();
  notify();
}

/** The bar at the foot of the page. */
export function makePlayer() {
  const toggled = button("▶", () => sound && toggle(sound), { class: "play" });
  const title = button("", () => sound?.onopen?.(), { class: "plays" });
  const other = el("span", { class: "other" }, "not the track shown");
  const slider = el("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.1,
    "aria-label": "Position",
  });
  const time = el("span", { class: "when" });
  const node = el(
    "section",
    { class: "player", "aria-label": "Player", hidden: true },
    toggled,
    el("div", { class: "said" }, title, other),
    slider,
    time,
    button("×", () => stop(), { class: "plain", "aria-label": "Stop playing" }),
  );
  slider.addEventListener("input", () => (audio.currentTime = Number(slider.value)));
  const set = (place, text) => place.textContent !== text && (place.textContent = text);
  watch((now) => {
    node.hidden = now.key === null;
    document.body.classList.toggle("with-player", now.key !== null);
    if (!sound) return;
    set(title, sound.title);
    set(toggled, now.paused ? "▶" : "❚❚");
    toggled.setAttribute("aria-label", `${now.paused ? "Play" : "Pause"}: ${sound.title}`);
    other.hidden = !wished || wished === now.key;
    slider.max = String(now.duration || 1);
    slider.value = String(now.time);
    set(time, `${clock(now.time)} / ${clock(now.duration)}`);
  });
  return node;
}
