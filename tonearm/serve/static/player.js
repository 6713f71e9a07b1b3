// One sound at a time, whoever asks for it.

const audio = new Audio();
const watchers = new Set();
let playing = null; // the key of the one who asked last
let frame = 0;

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
    key: playing,
    time: audio.currentTime,
    paused: audio.paused,
    failed: Boolean(audio.error),
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

export async function play(key, source, at = null) {
  if (playing !== key) {
    playing = key;
    audio.src = source;
  }
  if (at !== null) audio.currentTime = at;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another was asked for meanwhile
    notify();
    throw new Error("this browser cannot play this kind of file");
  }
}

export const toggle = (key, source) =>
  playing === key && !audio.paused ? audio.pause() : play(key, source);

export function stop(key) {
  if (playing === key || key === undefined) {
    audio.pause();
    playing = null;
    audio.removeAttribute("src");
    audio.load();
  }
}
