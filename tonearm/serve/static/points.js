// Points on a canvas, written as pixels: 100,000 of them in a few milliseconds a frame.

const FULL = 65_535;

/** "#0072b2" as a pixel of an image: alpha, blue, green, red. */
function pixel(colour) {
  const value = parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * Draw all points.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{places: Uint16Array, values: Uint8Array, palette: string[], selected: Set<number>,
 *   hovered: number, across: number, down: number, left: number, top: number}} what
 */
export function dots(canvas, what) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const c = canvas.getContext("2d");
  const image = c.createImageData(width, height);
  fillAll(image, what, ratio);
  c.putImageData(image, 0, 0);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  ringAll(c, what, getComputedStyle(canvas).getPropertyValue("--ink"));
}

/** Pixels of the side of a point: fewer points are larger, and all grow as one looks closer. */
function sideOf(count, zoom, ratio) {
  const size = count > 20_000 ? 2 : count > 2_000 ? 3 : count > 300 ? 6 : 9;
  const grow = Math.min(3, Math.max(1, Math.sqrt(zoom)));
  return Math.max(2, Math.round(size * ratio * grow));
}

/** What a disc leaves out at either end of each of its rows; little ones are squares. */
function insetsOf(side) {
  const r = side / 2;
  const inset = (_, row) => Math.round(r - Math.sqrt(r * r - (row + 0.5 - r) ** 2));
  return Array.from({ length: side }, side > 4 ? inset : () => 0);
}

function fillAll(image, { places, values, palette, across, down, left, top }, ratio) {
  const { width, height } = image;
  const data = new Uint32Array(image.data.buffer);
  const colours = palette.map(pixel);
  const count = values?.length ?? 0;
  const zoom = (down * ratio) / Math.max(1, Math.min(width, height));
  const side = sideOf(count, zoom, ratio);
  const half = side >> 1;
  const insets = insetsOf(side);
  for (let i = 0; i < count; i++) {
    const x = Math.round(((places[2 * i] / FULL) * across + left) * ratio) - half;
    const y = Math.round(((places[2 * i + 1] / FULL) * down + top) * ratio) - half;
    if (x < 0 || y < 0 || x + side > width || y + side > height) continue;
    for (let row = 0; row < side; row++) {
      const at = (y + row) * width + x;
      data.fill(colours[values[i]], at + insets[row], at + side - insets[row]);
    }
  }
}

/** Rings round what is selected, as long as these are few, and round what is pointed at. */
function ringAll(c, { places, selected, hovered, across, down, left, top }, ink) {
  c.strokeStyle = ink;
  c.lineWidth = 1.5;
  const ring = (i, radius) => {
    c.beginPath();
    const [x, y] = [
      (places[2 * i] / FULL) * across + left,
      (places[2 * i + 1] / FULL) * down + top,
    ];
    c.arc(x, y, radius, 0, 2 * Math.PI);
    c.stroke();
  };
  if (selected.size < 5_000) for (const i of selected) ring(i, 4);
  if (hovered >= 0) ring(hovered, 7);
}
