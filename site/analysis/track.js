// Windows of a track as mel power, their levels, and where there is only silence; as
// `tonearm/model/track.py` reads them.
import { melPower, windowS } from "./features.js";
import { readSpan } from "./resample.js";
import { group, spread } from "./windows.js";

/** @typedef {import("./features.js").Spec} Spec */
/** @typedef {import("./model.js").Rules} Rules */
/**
 * Windows read together.
 *
 * @typedef {object} Cut
 * @property {Float32Array[]} power mel power of each window, [window_frames, bands]
 * @property {number[]} levels mean square of the samples of each
 * @property {number} mean_square of all samples that were read
 */

/** @param {Float32Array} samples */
function meanSquare(samples) {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return samples.length ? sum / samples.length : 0;
}

/** @param {number[]} values */
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Windows of a decoded sound. */
export class Track {
  /**
   * @param {import("./decode.js").Sound} sound
   * @param {Spec} spec
   * @param {Rules} rules
   */
  constructor(sound, spec, rules) {
    this.sound = sound;
    this.spec = spec;
    this.rules = rules;
    const samples = Math.floor((sound.samples.length * spec.sample_rate_hz) / sound.rate_hz);
    this.frames = samples > 0 ? 1 + Math.floor(samples / spec.hop_samples) : 0;
    const fit = Math.floor(rules.read_samples / (windowS(spec) * sound.rate_hz));
    this.most = Math.max(1, Math.min(rules.read_windows, fit)) * spec.window_frames;
  }

  /** Windows that are read in one piece. @param {number[]} starts */
  groups(starts) {
    return group(starts, this.spec.window_frames, this.most);
  }

  /** The windows that begin at these frames, which are neighbours. @param {number[]} starts */
  cut(starts) {
    const { spec } = this;
    const half = spec.n_fft / 2; // frames are centred: the first one reaches back that far
    const last = Math.min(starts[starts.length - 1] + spec.window_frames, this.frames) - 1;
    const begin = starts[0] * spec.hop_samples - half;
    const span = readSpan(this.sound, begin, last * spec.hop_samples + half, spec.sample_rate_hz);
    const power = repeated(melPower(span, spec), spec.window_frames * spec.mel_bands);
    const [size, length] = [
      spec.window_frames * spec.mel_bands,
      spec.window_frames * spec.hop_samples,
    ];
    const offsets = starts.map((start) => start - starts[0]);
    return {
      power: offsets.map((at) => power.subarray(at * spec.mel_bands, at * spec.mel_bands + size)),
      levels: offsets.map((at) => {
        const from = at * spec.hop_samples;
        return meanSquare(span.subarray(from, from + length));
      }),
      mean_square: meanSquare(span),
    };
  }

  /**
   * First frames of `count` windows, evenly over what is not silence; null if nothing is, or all.
   *
   * @param {number} count
   */
  sounding(count) {
    const { samples, rate_hz } = this.sound;
    const window = Math.round(windowS(this.spec) * rate_hz);
    const levels = [];
    for (let at = 0; at < samples.length; at += window) {
      const piece = samples.subarray(at, at + window);
      if (piece.length === window || piece.length > window / 2) levels.push(meanSquare(piece));
    }
    const sounds = isSilent(levels, this.rules).map((silent) => !silent);
    if (sounds.every(Boolean) || !sounds.some(Boolean)) return null;
    const at = (/** @type {number} */ i) => sounds[Math.max(0, Math.min(sounds.length - 1, i))];
    const inside = sounds.map((_, i) => at(i - 1) && at(i) && at(i + 1));
    const chosen = inside.some(Boolean) ? inside : sounds;
    let loud = chosen.flatMap((yes, i) => (yes ? [i] : []));
    if (count < loud.length) {
      const all = loud;
      loud = Array.from(
        { length: count },
        (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)],
      );
    }
    const length = this.spec.window_frames;
    const last = Math.max(0, this.frames - length);
    return [...new Set(loud.map((i) => Math.min(i * length, last)))].sort((a, b) => a - b);
  }
}

/** A sound shorter than a window is repeated. @param {Float32Array} power @param {number} least */
function repeated(power, least) {
  if (power.length >= least || !power.length) return power;
  const whole = new Float32Array(Math.ceil(least / power.length) * power.length);
  for (let at = 0; at < whole.length; at += power.length) whole.set(power, at);
  return whole;
}

/**
 * Which windows hold no sound, next to the loudest.
 *
 * @param {number[]} levels
 * @param {Rules} rules
 */
export function isSilent(levels, { silent }) {
  const loudest = levels.reduce((most, level) => Math.max(most, level), 0);
  return levels.map((level) => level <= silent * loudest);
}

/** Gain on power that lifts a very quiet track. @param {number} level @param {Rules} rules */
export function quietGain(level, { quiet, lifted, most_gain }) {
  return level >= quiet || level === 0 ? 1 : Math.min(lifted / level, most_gain);
}

/** Gain for a track of which these pieces are known. @param {Cut[]} cuts @param {Rules} rules */
export function trackGain(cuts, rules) {
  const levels = cuts.flatMap((cut) => cut.levels);
  const silent = isSilent(levels, rules);
  // Pauses would make a loud track look quiet.
  if (silent.some(Boolean) && !silent.every(Boolean))
    return quietGain(mean(levels.filter((_, i) => !silent[i])), rules);
  return quietGain(mean(cuts.map((cut) => cut.mean_square)), rules);
}

/** The pieces that are read ahead for the gain. @param {number} groups @param {Rules} rules */
export const readFirst = (groups, { level_groups }) => spread(groups, level_groups);
