// From a decoded sound to embeddings, as `tonearm/model/encoder.py`: networks over windows.
import { frameS, toLevel } from "./features.js";
import { isSilent, mean, quietGain, readFirst, Track, trackGain } from "./track.js";
import { forLength, place, round, rounds } from "./windows.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./windows.js").WindowCount} WindowCount */
/**
 * @typedef {object} Embeddings
 * @property {Float32Array[]} values one embedding a window
 * @property {boolean} silent whether there is nothing but silence
 * @property {number[]} starts_s
 * @property {number} duration_s
 * @property {?Float32Array[]} texture of long windows, if the second encoder was asked
 * @property {number[]} texture_starts_s
 * @property {?Float32Array[]} modulations of the second encoder's filters, for reasons
 */
/**
 * @typedef {object} Plan
 * @property {WindowCount} count windows at most
 * @property {?number} [hop_s] from one window to the next for `all`
 * @property {?((values: Float32Array[]) => boolean)} [enough] whether no more are needed
 * @property {boolean} [grows] whether a long track has more windows
 * @property {boolean} [reasons] whether the second encoder is asked in any case
 * @property {(fraction: number) => void} [onProgress]
 */

/**
 * A network: `outputs(power)` gives, for each of its outputs, one row a window.
 *
 * @typedef {(power: Float32Array[]) => Promise<Float32Array[][]>} Network
 */

const RUN_WINDOWS = 2;

/**
 * @param {any} ort onnxruntime-web
 * @param {Uint8Array} bytes
 * @param {import("./features.js").Spec} spec
 * @returns {Promise<Network>}
 */
export async function loadNetwork(ort, bytes, spec) {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const size = spec.window_frames * spec.mel_bands;
  return async (power) => {
    /** @type {Float32Array[][]} */
    const outputs = session.outputNames.map(() => []);
    for (let i = 0; i < power.length; i += RUN_WINDOWS) {
      const some = power.slice(i, i + RUN_WINDOWS);
      const levels = new Float32Array(some.length * size);
      some.forEach((window, j) => levels.set(toLevel(window, spec), j * size));
      const shape = [some.length, spec.window_frames, spec.mel_bands];
      const input = new ort.Tensor("float32", levels, shape);
      const found = await session.run({ [session.inputNames[0]]: input });
      session.outputNames.forEach((/** @type {string} */ name, /** @type {number} */ o) => {
        const data = /** @type {Float32Array} */ (found[name].data);
        const width = data.length / some.length;
        for (let j = 0; j < some.length; j++)
          outputs[o].push(data.slice(j * width, (j + 1) * width));
      });
    }
    return outputs;
  };
}

/** @param {number[]} starts @param {number} frame_s */
const seconds = (starts, frame_s) => starts.map((start) => start * frame_s);

export class Encoder {
  /**
   * @param {Model} model
   * @param {{first: Network, second: () => Promise<Network>}} networks
   * @param {(values: Float32Array[], length_s: number) => boolean} wantsTexture
   */
  constructor(model, networks, wantsTexture) {
    this.model = model;
    this.networks = networks;
    this.wantsTexture = wantsTexture;
  }

  /**
   * @param {import("./decode.js").Sound} sound
   * @param {Plan} plan
   * @returns {Promise<Embeddings>}
   */
  async embed(sound, plan) {
    const { features, rules } = this.model;
    const duration_s = sound.samples.length / sound.rate_hz;
    if (duration_s < rules.shortest_s)
      throw new Error(
        `is too short to analyse: ${duration_s.toPrecision(3)} s. ` +
          `Tonearm needs ${rules.shortest_s} s or more`,
      );
    const { starts, values, silent } = await this.embedTrack(sound, duration_s, plan);
    return {
      values,
      silent,
      starts_s: seconds(starts, frameS(features)),
      duration_s: Math.round(1_000 * duration_s) / 1_000,
      ...(await this.embedTexture(sound, values, duration_s, plan)),
    };
  }

  /**
   * @param {import("./decode.js").Sound} sound
   * @param {Float32Array[]} values
   * @param {number} duration_s
   * @param {Plan} plan
   */
  async embedTexture(sound, values, duration_s, plan) {
    const { texture: spec, rules } = this.model;
    const none = { texture: null, texture_starts_s: [], modulations: null };
    if (!spec || !(plan.reasons || this.wantsTexture(values, duration_s))) return none;
    const track = new Track(sound, spec, rules);
    // These windows are ten times as long as the first encoder's.
    const many = forLength(1, duration_s, rules);
    const count = plan.hop_s || many === "all" ? "all" : Math.max(1, Math.floor(many / 10));
    const starts = place(track.frames, spec.window_frames, { count });
    const run = await this.networks.second();
    /** @type {Float32Array[]} */
    const texture = [];
    /** @type {Float32Array[]} */
    const modulations = [];
    for (const start of starts) {
      const [rows, more] = await run(track.cut([start]).power);
      texture.push(...rows);
      if (more) modulations.push(...more);
    }
    return {
      texture,
      texture_starts_s: seconds(starts, frameS(spec)),
      modulations: plan.reasons && modulations.length ? modulations : null,
    };
  }

  /**
   * @param {import("./decode.js").Sound} sound
   * @param {number} duration_s
   * @param {Plan} plan
   */
  async embedTrack(sound, duration_s, plan) {
    const { features, rules } = this.model;
    const track = new Track(sound, features, rules);
    const count = plan.grows ? forLength(plan.count, duration_s, rules) : plan.count;
    const hop = plan.hop_s ? round(plan.hop_s / frameS(features)) : null;
    const starts = place(track.frames, features.window_frames, { count, hop });
    // A long track may change genre, so its first windows never decide for the others.
    if (plan.enough && count === plan.count) {
      const few = await this.embedUntil(track, starts, plan);
      if (few) return { ...few, silent: false };
    }
    const { values, levels } = await this.embedAll(track, starts, plan);
    const silent = isSilent(levels, rules);
    const nothing = levels.every((level) => level <= rules.silent_peak ** 2);
    if (count === "all") {
      // A silent track keeps all of its windows: the detector then calls it unknown.
      const kept = silent.map((each) => !each || silent.every(Boolean));
      const left = (/** @type {any[]} */ of) => of.filter((_, i) => kept[i]);
      return { starts: left(starts), values: left(values), silent: nothing };
    }
    // A track that is quiet wherever it was read may be loud elsewhere.
    if (silent.some(Boolean) || quietGain(mean(levels), rules) !== 1) {
      const sounding = track.sounding(count);
      if (sounding) {
        const found = await this.embedAll(track, sounding, plan);
        return { starts: sounding, values: found.values, silent: false };
      }
    }
    return { starts, values, silent: nothing };
  }

  /**
   * Some of the windows, until they are enough; null where the track is quiet or silent.
   *
   * @param {Track} track
   * @param {number[]} starts
   * @param {Plan} plan
   */
  async embedUntil(track, starts, { enough, onProgress }) {
    const { rules } = this.model;
    /** @type {Map<number, Float32Array>} */
    const done = new Map();
    /** @type {number[]} */
    const levels = [];
    for (const few of rounds(starts.length)) {
      const cuts = few.map((i) => track.cut([starts[i]]));
      levels.push(...cuts.flatMap((cut) => cut.levels));
      const level = mean(cuts.map((cut) => cut.mean_square));
      if (isSilent(levels, rules).some(Boolean) || (!done.size && quietGain(level, rules) !== 1))
        return null;
      const [rows] = await this.networks.first(cuts.flatMap((cut) => cut.power));
      few.forEach((i, j) => done.set(i, rows[j]));
      onProgress?.(done.size / starts.length);
      if (enough?.(inOrder(done).values)) break;
    }
    const { order, values } = inOrder(done);
    return { starts: order.map((i) => starts[i]), values };
  }

  /**
   * @param {Track} track
   * @param {number[]} starts
   * @param {Plan} plan
   */
  async embedAll(track, starts, { onProgress }) {
    const { rules } = this.model;
    const groups = track.groups(starts);
    // The gain must be known before the first window runs, so some groups are read ahead.
    const first = new Map(readFirst(groups.length, rules).map((i) => [i, track.cut(groups[i])]));
    const gain = trackGain([...first.values()], rules);
    /** @type {Float32Array[]} */
    const values = [];
    /** @type {number[]} */
    const levels = [];
    for (const [i, part] of groups.entries()) {
      const cut = first.get(i) ?? track.cut(part);
      first.delete(i);
      const lifted = gain === 1 ? cut.power : cut.power.map((w) => w.map((value) => value * gain));
      for (let at = 0; at < lifted.length; at += RUN_WINDOWS) {
        const [rows] = await this.networks.first(lifted.slice(at, at + RUN_WINDOWS));
        values.push(...rows);
        onProgress?.(values.length / starts.length);
      }
      levels.push(...cut.levels);
    }
    return { values, levels };
  }
}

/** @param {Map<number, Float32Array>} done */
function inOrder(done) {
  const order = [...done.keys()].sort((a, b) => a - b);
  const values = order.map((i) => /** @type {Float32Array} */ (done.get(i)));
  return { order, values };
}
