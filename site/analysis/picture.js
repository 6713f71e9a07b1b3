// A sound as a picture, as `tonearm/serve/spectrogram.py` draws it: levels and peaks in columns.
import { melPower } from "./features.js";
import { readSpan } from "./resample.js";

/** @typedef {import("./features.js").Spec} Spec */

const [MOST_COLUMNS, SHORTEST_COLUMN_S, BLOCK_S, RANGE_DB] = [1_000, 0.05, 20, 80];

/** @param {Uint8Array} bytes */
const base64 = (bytes) => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};

/**
 * @param {import("./decode.js").Sound} sound
 * @param {Spec} spec
 */
export function picture(sound, spec) {
  const { samples, rate_hz } = sound;
  const duration_s = samples.length / rate_hz;
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.floor(duration_s / SHORTEST_COLUMN_S)));
  const column = (/** @type {number} */ at_s) =>
    Math.max(0, Math.min(columns - 1, Math.floor((at_s * columns) / duration_s)));
  const peaks = new Float32Array(columns);
  samples.forEach((value, i) => {
    const at = column(i / rate_hz);
    if (Math.abs(value) > peaks[at]) peaks[at] = Math.abs(value);
  });
  const bands = Math.ceil(spec.mel_bands / 2);
  const sums = new Float64Array(columns * bands);
  const counts = new Float64Array(columns);
  const block = Math.round((BLOCK_S * spec.sample_rate_hz) / spec.hop_samples) * spec.hop_samples;
  const total = Math.floor(duration_s * spec.sample_rate_hz);
  for (let start = 0; start < total; start += block) {
    // Half a transform wider at both ends, so that no seam shows.
    const half = spec.n_fft / 2;
    const stop = Math.min(total, start + block);
    const power = melPower(readSpan(sound, start - half, stop + half, spec.sample_rate_hz), spec);
    for (let frame = 0; frame * spec.mel_bands < power.length; frame++) {
      const at = column((start + frame * spec.hop_samples) / spec.sample_rate_hz);
      counts[at] += 1;
      for (let band = 0; band < spec.mel_bands; band++)
        sums[at * bands + (band >> 1)] += power[frame * spec.mel_bands + band];
    }
  }
  return {
    duration_s,
    columns,
    bands,
    levels: base64(levelsOf(sums, counts, bands)),
    peaks: base64(Uint8Array.from(peaks, (peak) => Math.round(255 * Math.min(1, peak)))),
  };
}

/**
 * From sums of power to bytes: 255 for the loudest, 0 for 80 dB below.
 *
 * @param {Float64Array} sums
 * @param {Float64Array} counts frames in each column
 * @param {number} bands
 */
function levelsOf(sums, counts, bands) {
  let last = 0;
  const means = sums.map((_, i) => {
    const at = Math.floor(i / bands);
    if (counts[at]) last = at; // columns narrower than a frame show their neighbour's
    return counts[last] ? sums[last * bands + (i % bands)] / counts[last] : 0;
  });
  const loudest = means.reduce((most, value) => Math.max(most, value), 1e-10);
  return Uint8Array.from(means, (value) => {
    const db = 10 * Math.log10(Math.max(value, 1e-10) / loudest);
    // Of silence everything is as loud as the loudest, which is nothing.
    return loudest > 1e-10 ? Math.round(255 * Math.max(0, 1 + db / RANGE_DB)) : 0;
  });
}
