// A file to mono samples at its own rate, by the browser's decoders. Runs in the page: workers have
// no WebAudio.
import { rateOf } from "./rate.js";
import { steps } from "./resample.js";

const USUAL_HZ = 48_000;
const [LOWEST_HZ, HIGHEST_HZ] = [3_000, 384_000]; // what browsers decode to
const BLOCK_S = 30;
// Of the channels' mean power, what is left in their mean when they cancel out.
const CANCELLED = 0.05;
const MOST_LEVEL = 2;

/**
 * @typedef {object} Sound
 * @property {Float32Array} samples mono
 * @property {number} rate_hz
 */

/**
 * Decode a file.
 *
 * @param {ArrayBuffer} data detached by this
 * @param {number[]} targets_hz sample rates that it will be converted to
 * @returns {Promise<Sound>}
 */
export async function decode(data, targets_hz) {
  const own_hz = rateOf(data);
  const odd = own_hz < LOWEST_HZ || own_hz > HIGHEST_HZ;
  // Without a small common step the filter would have tens of thousands of phases.
  const rate_hz = odd || targets_hz.some((hz) => !steps(own_hz, hz)) ? USUAL_HZ : own_hz;
  const context = new OfflineAudioContext(1, 1, rate_hz);
  let buffer;
  try {
    buffer = await context.decodeAudioData(data);
  } catch {
    throw new Error(
      "is not an audio file that this browser can read. `tonearm predict` reads more.",
    );
  }
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) =>
    buffer.getChannelData(i),
  );
  return { samples: mono(channels, BLOCK_S * rate_hz), rate_hz };
}

/**
 * Mean of the channels, in blocks; the loudest alone where they cancel out.
 *
 * @param {Float32Array[]} channels
 * @param {number} block
 */
export function mono(channels, block) {
  const [length, count] = [channels[0].length, channels.length];
  const mixed = new Float32Array(length);
  for (let start = 0; start < length; start += block) {
    const stop = Math.min(length, start + block);
    const powers = new Float64Array(count);
    let power = 0;
    for (let i = start; i < stop; i++) {
      let sum = 0;
      for (let c = 0; c < count; c++) {
        sum += channels[c][i];
        powers[c] += channels[c][i] ** 2;
      }
      mixed[i] = sum / count;
      power += mixed[i] ** 2;
    }
    const every = powers.reduce((sum, each) => sum + each, 0);
    if (count > 1 && power * count < CANCELLED * every) {
      const loudest = powers.indexOf(Math.max(...powers));
      mixed.set(channels[loudest].subarray(start, stop), start);
    }
    for (let i = start; i < stop; i++)
      mixed[i] = Math.max(-MOST_LEVEL, Math.min(MOST_LEVEL, mixed[i]));
  }
  return mixed;
}
