// A track's picture: spectrogram, waveform, and below them what plays when. A slider in time.
import { el, button, clock, percent } from "./dom.js";
import { fill, nameOf, badge } from "./genres.js";
import { partAt } from "./words.js";

const STRIP = 22; // pixels of the timeline, at the bottom
const WAVE = 26; // and of the waveform above it
const STEP_S = 5;

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const dark = matchMedia("(prefers-color-scheme: dark)");

/** From quiet to loud. */
function shade(level) {
  const stops = dark.matches
    ? [
        [20, 26, 27],
        [22, 66, 68],
        [45, 140, 128],
        [236, 214, 150],
      ]
    : [
        [246, 243, 236],
        [190, 215, 208],
        [58, 132, 126],
        [22, 44, 56],
      ];
  const at = Math.min(0.999, (level / 255) ** 1.3) * (stops.length - 1);
  const [from, to, fraction] = [stops[Math.floor(at)], stops[Math.floor(at) + 1], at % 1];
  return from.map((value, i) => value + (to[i] - value) * fraction);
}

function spectrogram({ columns, bands, levels }) {
  const data = bytes(levels);
  const shades = Array.from({ length: 256 }, (_, level) => shade(level));
  const image = new ImageData(columns, bands);
  for (let x = 0; x < columns; x++)
    for (let band = 0; band < bands; band++) {
      const at = 4 * ((bands - 1 - band) * columns + x);
      image.data.set(shades[data[x * bands + band]], at);
      image.data[at + 3] = 255;
    }
  const canvas = el("canvas", { width: columns, height: bands });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Make one; `onseek(seconds)` is called when a person chooses a moment. */
export function makePicture({ label, onseek }) {
  let [drawn, peaks, timeline, duration, time] = [null, null, [], 0, 0];
  let source = null;
  const canvas = el("canvas", {
    class: "picture",
    role: "slider",
    tabindex: 0,
    "aria-label": `Position in ${label}`,
    "aria-valuemin": 0,
    "aria-valuemax": 0,
    "aria-valuenow": 0,
  });
  const parts = el("ol", { class: "parts", "aria-label": "Timeline" });
  const node = el("figure", { class: "pictured" }, canvas, parts);

  canvas.addEventListener("pointerdown", (event) => {
    if (!duration) return;
    const box = canvas.getBoundingClientRect();
    onseek(Math.max(0, Math.min(0.999, (event.clientX - box.left) / box.width)) * duration);
  });
  canvas.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: time - STEP_S, ArrowRight: time + STEP_S, Home: 0, End: duration - 1 }[
      event.key
    ];
    if (to === undefined || !duration) return;
    event.preventDefault();
    event.stopPropagation();
    onseek(Math.max(0, Math.min(duration - 0.1, to)));
  });
  const sizes = new ResizeObserver(draw);
  sizes.observe(canvas);
  dark.addEventListener("change", recolour);

  function recolour() {
    if (source) drawn = spectrogram(source);
    draw();
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const top = height - STRIP - WAVE - 3;
    const style = getComputedStyle(canvas);
    c.fillStyle = style.getPropertyValue("--well");
    c.fillRect(0, 0, width, top + WAVE);
    if (drawn) c.drawImage(drawn, 0, 0, width, top);
    if (peaks) wave(c, width, top + WAVE / 2, style.getPropertyValue("--wave"));
    strip(c, width, top + WAVE + 3, style);
    if (!duration || !time) return;
    const x = Math.round((time / duration) * width);
    c.fillStyle = style.getPropertyValue("--ink");
    c.fillRect(Math.max(0, Math.min(width - 2, x - 1)), 0, 2, height);
  }

  function wave(c, width, middle, colour) {
    c.fillStyle = colour;
    const most = Math.max(1, ...peaks);
    for (let x = 0; x < width; x += 3) {
      const peak = peaks[Math.floor((x / width) * peaks.length)] / most;
      const tall = Math.max(1, peak * (WAVE - 4));
      c.fillRect(x, middle - tall / 2, 2, tall);
    }
  }

  function strip(c, width, y, style) {
    c.fillStyle = style.getPropertyValue("--well");
    c.fillRect(0, y, width, STRIP);
    c.font = `600 12px ${style.fontFamily}`;
    c.textBaseline = "middle";
    for (const part of timeline) {
      const [x, end] = [(part.start_s / duration) * width, (part.end_s / duration) * width];
      fill(c, part.genre, x, y, Math.max(1, end - x - 1), STRIP);
      const text = nameOf(part.genre);
      const room = c.measureText(text).width + 12;
      if (room + 8 > end - x) continue;
      c.fillStyle = style.getPropertyValue("--paper");
      c.fillRect(x + 4, y + 3, room, STRIP - 6);
      c.fillStyle = style.getPropertyValue("--ink");
      c.fillText(text, x + 10, y + STRIP / 2 + 0.5);
    }
  }

  function list() {
    parts.replaceChildren();
    parts.hidden = timeline.length < 2;
    for (const part of timeline) {
      const words = `${clock(part.start_s)}–${clock(part.end_s)}`;
      const name = `${words} ${nameOf(part.genre)}, ${percent(part.confidence)}: play from there`;
      const jump = button("", () => onseek(part.start_s), { "aria-label": name, class: "part" });
      jump.append(badge(part.genre), el("span", { class: "when" }, words));
      parts.append(el("li", {}, jump));
    }
  }

  function showTime() {
    const part = partAt(timeline, time);
    const now = part ? `, ${nameOf(part.genre)}` : "";
    canvas.setAttribute("aria-valuenow", Math.round(time));
    canvas.setAttribute("aria-valuetext", `${clock(time)} of ${clock(duration)}${now}`);
  }

  return {
    node,
    setTimeline(values, length) {
      [timeline, duration] = [values, length];
      canvas.setAttribute("aria-valuemax", Math.round(duration));
      list();
      showTime();
      draw();
    },
    setPicture(values) {
      source = values;
      drawn = spectrogram(values);
      peaks = bytes(values.peaks);
      duration ||= values.duration_s;
      draw();
    },
    setTime(seconds) {
      time = seconds;
      showTime();
      draw();
    },
    partAt: (seconds) => partAt(timeline, seconds),
    /** Let it go: the query of colours would keep it, and 0.8 MB of pixels, for good. */
    destroy() {
      sizes.disconnect();
      dark.removeEventListener("change", recolour);
    },
  };
}
