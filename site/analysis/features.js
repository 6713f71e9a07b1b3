// The front end: samples in, mel power and levels out, as `tonearm/features.py` has them. Arrays of
// [frames, bands] lie row by row.

/**
 * @typedef {object} Spec
 * @property {number} sample_rate_hz
 * @property {number} n_fft
 * @property {number} hop_samples
 * @property {number} mel_bands
 * @property {number} mel_low_hz
 * @property {number} mel_high_hz
 * @property {number} window_frames
 * @property {"log10"|"db"} scale
 * @property {boolean} [symmetric_window]
 */

const POWER_FLOOR = 1e-10;
const RANGE_DB = 80;

/** @param {Spec} spec */
export const frameS = (spec) => spec.hop_samples / spec.sample_rate_hz;
/** @param {Spec} spec */
export const windowS = (spec) => spec.window_frames * frameS(spec);

/** Slaney's mel scale. @param {number} hz */
const toMel = (hz) =>
  hz < 1_000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1_000)) / Math.log(6.4);
/** @param {number} mel */
const toHz = (mel) =>
  mel < 15 ? (mel * 200) / 3 : 1_000 * Math.exp(((mel - 15) * Math.log(6.4)) / 27);

/** So many frequencies, evenly spaced in mel. @param {Spec} spec @param {number} count */
export function melCorners(spec, count) {
  const [low, high] = [toMel(spec.mel_low_hz), toMel(spec.mel_high_hz)];
  return Array.from({ length: count }, (_, i) => toHz(low + ((high - low) * i) / (count - 1)));
}

/** Triangles of unit area: where each begins, and its weights. @param {Spec} spec */
function melFilters(spec) {
  const corners = melCorners(spec, spec.mel_bands + 2);
  const binHz = spec.sample_rate_hz / spec.n_fft;
  return Array.from({ length: spec.mel_bands }, (_, band) => {
    const [low, centre, high] = corners.slice(band, band + 3);
    const first = Math.ceil(low / binHz);
    const last = Math.min(spec.n_fft / 2, Math.floor(high / binHz));
    const weights = Float64Array.from({ length: Math.max(0, last - first + 1) }, (_unused, i) => {
      const hz = (first + i) * binHz;
      const height = Math.min((hz - low) / (centre - low), (high - hz) / (high - centre));
      return (Math.max(0, height) * 2) / (high - low);
    });
    return { first, weights };
  });
}

/**
 * A transform: `power(samples, at, out)` of the windowed frame at `at`.
 *
 * @param {Spec} spec
 */
function makeTransform({ n_fft: n, symmetric_window }) {
  const [half, period] = [n / 2, symmetric_window ? n - 1 : n];
  const hann = Float64Array.from(
    { length: n },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / period),
  );
  const cos = Float64Array.from({ length: half }, (_, i) => Math.cos((2 * Math.PI * i) / n));
  const sin = Float64Array.from({ length: half }, (_, i) => Math.sin((2 * Math.PI * i) / n));
  const bits = Math.log2(half);
  const reversed = Uint32Array.from({ length: half }, (_, i) => {
    let r = 0;
    for (let b = 0; b < bits; b++) r |= ((i >> b) & 1) << (bits - 1 - b);
    return r;
  });
  const [re, im] = [new Float64Array(half), new Float64Array(half)];

  /** Radix 2 in place, on half as many complex numbers as there are samples. */
  function transform() {
    for (let size = 2; size <= half; size *= 2) {
      const [middle, stride] = [size / 2, n / size];
      for (let start = 0; start < half; start += size)
        for (let k = 0; k < middle; k++) {
          const [a, b] = [start + k, start + k + middle];
          const [c, s] = [cos[k * stride], sin[k * stride]];
          const x = re[b] * c + im[b] * s;
          const y = im[b] * c - re[b] * s;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
    }
  }

  return function power(
    /** @type {Float32Array} */ samples,
    /** @type {number} */ at,
    /** @type {Float64Array} */ out,
  ) {
    for (let i = 0; i < half; i++) {
      const r = reversed[i];
      re[r] = samples[at + 2 * i] * hann[2 * i];
      im[r] = samples[at + 2 * i + 1] * hann[2 * i + 1];
    }
    transform();
    for (let k = 0; k <= half; k++) {
      // Even and odd samples are taken apart again.
      const [i, j] = [k % half, (half - k) % half];
      const [evenRe, evenIm] = [(re[i] + re[j]) / 2, (im[i] - im[j]) / 2];
      const [oddRe, oddIm] = [(im[i] + im[j]) / 2, (re[j] - re[i]) / 2];
      const c = k < half ? cos[k] : -1;
      const s = k < half ? sin[k] : 0;
      const x = evenRe + oddRe * c + oddIm * s;
      const y = evenIm + oddIm * c - oddRe * s;
      out[k] = x * x + y * y;
    }
  };
}

/**
 * @typedef {object} Tools
 * @property {ReturnType<typeof melFilters>} filters
 * @property {ReturnType<typeof makeTransform>} power
 */
/** @type {Map<string, Tools>} */
const made = new Map();

/** @param {Spec} spec */
function toolsOf(spec) {
  const key = JSON.stringify(spec);
  const tools = made.get(key) ?? { filters: melFilters(spec), power: makeTransform(spec) };
  made.set(key, tools);
  return tools;
}

/**
 * Mel power [frames, bands] of samples that were cut with half a transform of margin.
 *
 * @param {Float32Array} samples
 * @param {Spec} spec
 */
export function melPower(samples, spec) {
  const { filters, power } = toolsOf(spec);
  const frames = Math.max(0, 1 + Math.floor((samples.length - spec.n_fft) / spec.hop_samples));
  const bins = new Float64Array(spec.n_fft / 2 + 1);
  const result = new Float32Array(frames * spec.mel_bands);
  for (let frame = 0; frame < frames; frame++) {
    power(samples, frame * spec.hop_samples, bins);
    for (let band = 0; band < spec.mel_bands; band++) {
      const { first, weights } = filters[band];
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * bins[first + i];
      result[frame * spec.mel_bands + band] = sum;
    }
  }
  return result;
}

/** Mel power to the scale of `spec`. @param {Float32Array} power @param {Spec} spec */
export function toLevel(power, spec) {
  if (spec.scale === "log10") return power.map((value) => Math.log10(1 + 10_000 * value));
  let loudest = POWER_FLOOR;
  for (const value of power) loudest = Math.max(loudest, value);
  return power.map((value) =>
    Math.max(-RANGE_DB, 10 * Math.log10(Math.max(value, POWER_FLOOR) / loudest)),
  );
}
