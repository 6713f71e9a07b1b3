// One sound at a time, in one bar that says what plays, whichever view is shown.
import { asError, button, clock, el, toast } from "./dom.js";

/**
 * Something that can be played.
 *
 * @typedef {object} Sound
 * @property {string} key by which views know it
 * @property {string} source an address
 * @property {string} title
 * @property {() => void} [onopen] shows it, when a person presses its title
 */
/**
 * What plays, at one moment.
 *
 * @typedef {object} State
 * @property {?string} key null where nothing does
 * @property {number} time seconds
 * @property {number} duration seconds; 0 as long as it is not known
 * @property {boolean} paused
 */

const audio = new Audio();
/** @type {Set<(state: State) => void>} */
const watchers = new Set();
/** @type {?Sound} */
let sound = null;
/** @type {?string} */
let wished = null;
let frame = 0;

audio.preload = "metadata";
for (const event of ["play", "pause", "ended", "seeked", "error", "emptied"])
  audio.addEventListener(event, notify);
audio.addEventListener("play", () => (frame ||= requestAnimationFrame(tick)));

// The browser tells the time of a sound four times a second: too seldom for a line that moves.
function tick() {
  notify();
  frame = audio.paused ? 0 : requestAnimationFrame(tick);
}

/** @returns {State} */
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

/**
 * Call back at each change, and each frame while something plays.
 *
 * @param {(state: State) => void} watcher
 * @returns {() => void} ends it
 */
export function watch(watcher) {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

/** @returns {boolean} whether anything is to be heard */
export const isPlaying = () => Boolean(sound) && !audio.paused;

/** @returns {?string} the key of what plays, or is paused */
export const playing = () => sound?.key ?? null;

/**
 * Say what a view shows, so that the bar can say when another sound plays.
 *
 * @param {?string} key
 * @returns {void}
 */
export function setShown(key) {
  wished = key;
  notify();
}

/**
 * Play a sound, in place of what plays.
 *
 * @param {Sound} what
 * @param {?number} [at] seconds; null goes on where it was
 * @returns {Promise<void>}
 */
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
    if (asError(error).name === "AbortError") return; // another was asked for meanwhile
    notify();
    toast(`${what.title}: this browser cannot play this kind of file.`, { bad: true });
  }
}

/**
 * Play a sound, or pause it if it plays.
 *
 * @param {Sound} what
 */
export const toggle = (what) =>
  sound?.key === what.key && !audio.paused ? audio.pause() : play(what);

/**
 * Play nothing any more.
 *
 * @param {string} [key] only if this plays
 * @returns {void}
 */
export function stop(key) {
  if (!sound || (key !== undefined && sound.key !== key)) return;
  audio.pause();
  sound = null;
  audio.removeAttribute("src");
  audio.load(); // or the browser goes on fetching what nobody wants any more
  notify();
}

/**
 * The bar at the foot of the page; it is seen as long as there is a sound.
 *
 * @returns {HTMLElement}
 */
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
  // Sixty times a second: what says the same already is left as it is.
  const set = (/** @type {HTMLElement} */ place, /** @type {string} */ text) =>
    place.textContent !== text && (place.textContent = text);
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
