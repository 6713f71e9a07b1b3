// From one sample rate to another: a windowed sinc in polyphase form, flat to .91 of the lower
// half rate and 110 dB down at it, as soxr's high quality is. And spans of audio at a rate.

import { round } from "./windows.js";

const PASS = 0.913; // of the lower Nyquist frequency, where soxr HQ begins to fall
const REJECTED_DB = 110;
const MOST_PHASES = 1_000;
// Fraction of the power from which a constant offset is removed.
const OFFSET_POWER = 0.01;

const gcd = (/** @type {number} */ a, /** @type {number} */ b) => {
  while (b) [a, b] = [b, a % b];
  return a;
};

/**
 * [up, down]: so many samples at the new rate last as long as so many at the old; null if too many.
 *
 * @param {number} from_hz
 * @param {number} to_hz
 * @returns {?[number, number]}
 */
export function steps(from_hz, to_hz) {
  const common = gcd(from_hz, to_hz);
  const up = to_hz / common;
  return up > MOST_PHASES ? null : [up, from_hz / common];
}

/** Modified Bessel function of order 0. @param {number} x */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-16 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @type {Map<string, {phases: Float64Array[], half: number}>} */
const kept = new Map();

/** One row of weights for each phase. @param {number} up @param {number} down */
function filter(up, down) {
  const key = `${up}/${down}`;
  const known = kept.get(key);
  if (known) return known;
  // All in units of the input's sample rate; the lower of both rates decides.
  const nyquist = Math.min(1, up / down) / 2;
  const cutoff = (nyquist * (1 + PASS)) / 2;
  const transition = nyquist * (1 - PASS);
  // Kaiser 1974: length and shape of the window for a rejection and a transition.
  const beta = 0.1102 * (REJECTED_DB - 8.7);
  const half = Math.ceil((REJECTED_DB - 7.95) / (2.285 * 2 * Math.PI * transition) / 2);
  const phases = Array.from({ length: up }, (_, phase) => {
    const row = new Float64Array(2 * half);
    for (let k = 0; k < row.length; k++) {
      const t = k - half + 1 - phase / up; // distance from the output sample
      const inside = 1 - (t / half) ** 2;
      const angle = 2 * Math.PI * cutoff * t;
      const sinc = t ? Math.sin(angle) / (Math.PI * t) : 2 * cutoff;
      row[k] = inside > 0 ? (sinc * bessel(beta * Math.sqrt(inside))) / bessel(beta) : 0;
    }
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum); // a constant stays itself at every phase
  });
  const made = { phases, half };
  kept.set(key, made);
  return made;
}

/**
 * Convert samples; zeros are taken to lie around them.
 *
 * @param {Float32Array} samples
 * @param {number} from_hz
 * @param {number} to_hz
 * @returns {Float32Array}
 */
export function resample(samples, from_hz, to_hz) {
  const ratio = steps(from_hz, to_hz);
  if (from_hz === to_hz || !samples.length) return samples;
  if (!ratio) throw new Error(`no conversion from ${from_hz} to ${to_hz} Hz`);
  const [up, down] = ratio;
  const { phases, half } = filter(up, down);
  const padded = new Float32Array(samples.length + 2 * half);
  padded.set(samples, half);
  const converted = new Float32Array(round((samples.length * up) / down));
  for (let i = 0; i < converted.length; i++) {
    const position = i * down;
    const first = Math.floor(position / up) + 1; // in `padded`, of the first weight
    const row = phases[position % up];
    let sum = 0;
    for (let k = 0; k < row.length; k++) sum += row[k] * padded[first + k];
    converted[i] = sum;
  }
  return converted;
}

/**
 * Samples `start` to `stop` of a sound as it is at `rate_hz`; zeros outside of it.
 *
 * @param {import("./decode.js").Sound} sound
 * @param {number} start
 * @param {number} stop
 * @param {number} rate_hz
 */
export function readSpan(sound, start, stop, rate_hz) {
  const own_hz = sound.rate_hz;
  const [step, ownStep] = steps(own_hz, rate_hz) ?? [1, 1];
  // Cut a little wider, on a sample that both rates have in common: 50 ms hold the filter.
  const margin = own_hz === rate_hz ? 0 : Math.floor(rate_hz / 20);
  const firstStep = Math.floor(Math.max(0, start - margin) / step);
  const ownStop = Math.ceil(((Math.max(stop, 0) + margin) * own_hz) / rate_hz);
  const samples = withoutOffset(sound.samples.subarray(firstStep * ownStep, ownStop));
  const converted = resample(samples, own_hz, rate_hz);
  const span = new Float32Array(stop - start);
  const begin = firstStep * step - start;
  const source = converted.subarray(Math.max(0, -begin), Math.max(0, stop - start - begin));
  span.set(source, Math.max(0, begin));
  return span;
}

/** Without a constant offset that would fill the lowest band. @param {Float32Array} samples */
function withoutOffset(samples) {
  let [sum, power] = [0, 0];
  for (const value of samples) {
    sum += value;
    power += value * value;
  }
  const mean = sum / samples.length;
  if (!samples.length || mean ** 2 <= (OFFSET_POWER * power) / samples.length) return samples;
  return samples.map((value) => value - mean);
}
