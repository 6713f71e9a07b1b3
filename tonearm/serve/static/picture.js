// A track's picture: spectrogram, waveform, and below them what plays when. A slider in time.
import { button, clock, contextOf, el, percent } from "./dom.js";
import { fill, nameOf, badge } from "./genres.js";
import { partAt } from "./words.js";

/** @typedef {import("./api.js").Segment} Segment */
/** @typedef {import("./api.js").Picture} Picture */
/** @typedef {CanvasRenderingContext2D} Context */

const STRIP = 22; // pixels of the timeline, at the bottom
const WAVE = 26; // and of the waveform above it
const STEP_S = 5;
const PAGE_S = 60; // Page Up and Page Down

/** Bytes of base64. @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const dark = matchMedia("(prefers-color-scheme: dark)");

/**
 * The colour of a level, from quiet to loud: paper to ink in light, night to sand in dark.
 *
 * @param {number} level 0 to 255
 * @returns {number[]} red, green, blue
 */
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
  // The power keeps the quiet half from greying the whole picture.
  const at = Math.min(0.999, (level / 255) ** 1.3) * (stops.length - 1);
  const [from, to, fraction] = [stops[Math.floor(at)], stops[Math.floor(at) + 1], at % 1];
  return from.map((value, i) => value + (to[i] - value) * fraction);
}

/**
 * A canvas of one pixel for each column and band; it is drawn at any size from there.
 *
 * @param {Picture} picture
 */
function spectrogram({ columns, bands, levels }) {
  const data = bytes(levels);
  // All 256 at once: a picture has 48,000 pixels.
  const shades = Array.from({ length: 256 }, (_, level) => shade(level));
  const image = new ImageData(columns, bands);
  for (let x = 0; x < columns; x++)
    for (let band = 0; band < bands; band++) {
      const at = 4 * ((bands - 1 - band) * columns + x); // low bands lie at the foot
      image.data.set(shades[data[x * bands + band]], at);
      image.data[at + 3] = 255;
    }
  const canvas = el("canvas", { width: columns, height: bands });
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * A picture, empty at first.
 *
 * @param {{label: string, onseek: (seconds: number) => void}} how `onseek` is called when a person
 *   chooses a moment
 */
export function makePicture({ label, onseek }) {
  let [duration, time] = [0, 0];
  /** @type {Segment[]} */
  let timeline = [];
  /** @type {?Picture} kept to be drawn again in other colours */
  let source = null;
  /** @type {?HTMLCanvasElement} */
  let drawn = null;
  /** @type {?Uint8Array} */
  let peaks = null;
  let isComing = true;
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
    /** @type {Record<string, number>} */
    const keys = {
      ArrowLeft: time - STEP_S,
      ArrowRight: time + STEP_S,
      PageDown: time - PAGE_S,
      PageUp: time + PAGE_S,
      Home: 0,
      End: duration - 1,
    };
    const to = keys[event.key];
    if (to === undefined || !duration) return;
    event.preventDefault();
    // In Review the same arrows go to the next track.
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
    const c = contextOf(canvas);
    c.scale(ratio, ratio);
    const top = height - STRIP - WAVE - 3;
    const style = getComputedStyle(canvas);
    c.fillStyle = style.getPropertyValue("--well");
    c.fillRect(0, 0, width, top + WAVE);
    if (drawn) c.drawImage(drawn, 0, 0, width, top);
    else instead(c, width / 2, (top + WAVE) / 2, style);
    if (peaks) wave(c, peaks, width, top + WAVE / 2, style.getPropertyValue("--wave"));
    strip(c, width, top + WAVE + 3, style);
    if (!duration || !time) return;
    const x = Math.round((time / duration) * width);
    c.fillStyle = style.getPropertyValue("--ink");
    c.fillRect(Math.max(0, Math.min(width - 2, x - 1)), 0, 2, height);
  }

  /**
   * Why there is no spectrogram: of a long file it comes many seconds after the genre.
   *
   * @param {Context} c
   * @param {number} x
   * @param {number} y
   * @param {CSSStyleDeclaration} style
   */
  function instead(c, x, y, style) {
    c.font = `13px ${style.fontFamily}`;
    [c.textAlign, c.textBaseline] = ["center", "middle"];
    c.fillStyle = style.getPropertyValue("--quiet");
    c.fillText(isComing ? "Its spectrogram follows…" : "It is damaged: no spectrogram.", x, y);
    c.textAlign = "left";
  }

  /**
   * @param {Context} c
   * @param {Uint8Array} tops
   * @param {number} width
   * @param {number} middle
   * @param {string} colour
   */
  function wave(c, tops, width, middle, colour) {
    c.fillStyle = colour;
    const most = Math.max(1, ...tops); // a quiet piece fills the room as a loud one does
    for (let x = 0; x < width; x += 3) {
      const peak = tops[Math.floor((x / width) * tops.length)] / most;
      const tall = Math.max(1, peak * (WAVE - 4));
      c.fillRect(x, middle - tall / 2, 2, tall);
    }
  }

  /**
   * The timeline, at the foot.
   *
   * @param {Context} c
   * @param {number} width
   * @param {number} y
   * @param {CSSStyleDeclaration} style
   */
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
      if (room + 8 > end - x) continue; // cut names say less than none; the list below has all
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
      // It begins with what is seen, so that who speaks to a computer can say it.
      const name = `${nameOf(part.genre)} ${words}, ${percent(part.confidence)}: play from there`;
      const jump = button("", () => onseek(part.start_s), { "aria-label": name, class: "part" });
      jump.append(badge(part.genre), " ", el("span", { class: "when" }, words));
      parts.append(el("li", {}, jump));
    }
  }

  function showTime() {
    const part = partAt(timeline, time);
    const now = part ? `, ${nameOf(part.genre)}` : "";
    canvas.setAttribute("aria-valuenow", String(Math.round(time)));
    canvas.setAttribute("aria-valuetext", `${clock(time)} of ${clock(duration)}${now}`);
  }

  return {
    node,
    /** What plays when. @param {Segment[]} values @param {number} length seconds */
    setTimeline(values, length) {
      [timeline, duration] = [values, length];
      canvas.setAttribute("aria-valuemax", String(Math.round(duration)));
      list();
      showTime();
      draw();
    },
    /** @param {?Picture} values null where the file was not read to its end */
    setPicture(values) {
      isComing = false;
      if (!values) return draw();
      source = values;
      drawn = spectrogram(values);
      peaks = bytes(values.peaks);
      duration ||= values.duration_s;
      draw();
    },
    /** What plays now. @param {number} seconds */
    setTime(seconds) {
      time = seconds;
      showTime();
      draw();
    },
    /** The segment at a moment. @param {number} seconds */
    partAt: (seconds) => partAt(timeline, seconds),
    /** Let it go: the query of colours would keep it, and 0.8 MB of pixels, for good. */
    destroy() {
      sizes.disconnect();
      dark.removeEventListener("change", recolour);
    },
  };
}
