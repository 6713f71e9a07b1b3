// Points on a canvas, written as pixels: 100,000 of them in a few milliseconds a frame. Drawn one
// by one, as paths, they would take a hundred times as long.
import { contextOf } from "./dom.js";

/**
 * Where the map lies on the canvas, in CSS pixels.
 *
 * @typedef {object} Frame
 * @property {number} across its width
 * @property {number} down its height
 * @property {number} left
 * @property {number} top
 */
/**
 * What is drawn.
 *
 * @typedef {object} Points
 * @property {Uint16Array} places [n, 2] from 0 to 65,535
 * @property {Uint8Array} values [n] of the palette
 * @property {string[]} palette colours such as "#0072b2"
 * @property {Set<number>} selected indices of points
 * @property {number} hovered an index, or -1
 */

const FULL = 65_535;
const MOST_RINGS = 200; // more of them are one dark patch
const FAINT = 40; // of 255: what is not selected, as long as anything is

/** @type {?ImageData} of the latest frame */
let kept = null;

/**
 * Where a point lies on the canvas.
 *
 * @param {Uint16Array} places
 * @param {number} i
 * @param {Frame} frame
 * @returns {[number, number]} x and y in CSS pixels
 */
export const placeOf = (places, i, { across, down, left, top }) => [
  (places[2 * i] / FULL) * across + left,
  (places[2 * i + 1] / FULL) * down + top,
];

/**
 * "#0072b2" as a pixel of an image: alpha, blue, green, red.
 *
 * @param {string} colour
 * @param {number} alpha
 */
function pixel(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  // >>> 0: of 32 bits with the highest set, JavaScript makes a number below zero.
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * Draw all points.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Points & Frame} what
 * @returns {void}
 */
export function dots(canvas, what) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  // To set a canvas's size, even to what it is, makes a new one.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const c = contextOf(canvas);
  // One image, wiped for each frame: new ones of 8 MB, sixty a second, take as long as the points.
  if (kept?.width !== width || kept.height !== height) kept = c.createImageData(width, height);
  const image = kept;
  image.data.fill(0);
  fillAll(image, what, ratio);
  c.putImageData(image, 0, 0);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  ringAll(c, what, getComputedStyle(canvas).getPropertyValue("--ink"));
}

/**
 * Pixels of the side of a point: fewer points are larger, and all grow as one looks closer.
 *
 * @param {number} count
 * @param {number} zoom
 * @param {number} ratio device pixels of a CSS pixel
 */
function sideOf(count, zoom, ratio) {
  const size = count > 20_000 ? 2 : count > 2_000 ? 3 : count > 300 ? 6 : 9;
  const grow = Math.min(3, Math.max(1, Math.sqrt(zoom)));
  return Math.max(2, Math.round(size * ratio * grow));
}

/**
 * What a disc leaves out at either end of each of its rows; little ones are squares.
 *
 * @param {number} side
 * @returns {number[]}
 */
function insetsOf(side) {
  const r = side / 2;
  const inset = (/** @type {number} */ row) =>
    Math.round(r - Math.sqrt(r * r - (row + 0.5 - r) ** 2));
  return Array.from({ length: side }, (_, row) => (side > 4 ? inset(row) : 0));
}

/** @param {ImageData} image @param {Points & Frame} what @param {number} ratio */
function fillAll(image, { places, values, palette, selected, ...frame }, ratio) {
  const { width, height } = image;
  // A pixel is one number, not four: as many writes as pixels.
  const data = new Uint32Array(image.data.buffer);
  const colours = palette.map((colour) => pixel(colour, 255));
  const faint = palette.map((colour) => pixel(colour, FAINT));
  const count = values.length;
  const zoom = (frame.down * ratio) / Math.max(1, Math.min(width, height));
  const side = sideOf(count, zoom, ratio);
  const half = side >> 1;
  const insets = insetsOf(side);
  const { across, down, left, top } = frame;
  if (!selected.size) for (let i = 0; i < count; i++) square(i, colours);
  else {
    // A byte a point: to ask a set 200,000 times takes as long as all the drawing.
    const chosen = new Uint8Array(count);
    for (const i of selected) chosen[i] = 1;
    for (let i = 0; i < count; i++) if (!chosen[i]) square(i, faint);
    for (const i of selected) square(i, colours); // on top of the others
  }

  /** @param {number} i @param {number[]} shades */
  function square(i, shades) {
    // As `placeOf`, which would make an array a point.
    const x = Math.round(((places[2 * i] / FULL) * across + left) * ratio) - half;
    const y = Math.round(((places[2 * i + 1] / FULL) * down + top) * ratio) - half;
    if (x < 0 || y < 0 || x + side > width || y + side > height) return;
    for (let row = 0; row < side; row++) {
      const at = (y + row) * width + x;
      data.fill(shades[values[i]], at + insets[row], at + side - insets[row]);
    }
  }
}

/**
 * Rings round what is selected, as long as these are few, and round what is pointed at.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Points & Frame} what
 * @param {string} ink
 */
function ringAll(c, { places, selected, hovered, ...frame }, ink) {
  c.strokeStyle = ink;
  c.lineWidth = 1.5;
  const ring = (/** @type {number} */ i, /** @type {number} */ radius) => {
    c.beginPath();
    const [x, y] = placeOf(places, i, frame);
    c.arc(x, y, radius, 0, 2 * Math.PI);
    c.stroke();
  };
  if (selected.size < MOST_RINGS) for (const i of selected) ring(i, 4);
  if (hovered >= 0) ring(hovered, 7);
}
