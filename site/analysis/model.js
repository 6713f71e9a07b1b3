// The model as `site/build.py` splits it: `model.json` with every setting and the places of the
// arrays in `head.bin`, and one ONNX file an encoder. Sizes and limits come from there alone.

/** @typedef {import("./features.js").Spec} Spec */
/**
 * Numbers of `tonearm/model/mix.py`.
 *
 * @typedef {object} MixRules
 * @property {number} hop_s
 * @property {number} minimum_s
 * @property {number} change_cost
 * @property {number[]} weights
 * @property {number} least_score
 * @property {number} least_others
 * @property {{below: number, change_cost: number, longest: number, others: number}} doubt
 * @property {number} most_unknown
 * @property {number} least_probability
 */

/**
 * Numbers of the program that no model file holds.
 *
 * @typedef {object} Rules
 * @property {number} shortest_s
 * @property {number} long_s
 * @property {number} long_hop_s
 * @property {number} most_windows
 * @property {number} timeline_hop_s
 * @property {number} read_windows
 * @property {number} read_samples
 * @property {number} quiet
 * @property {number} lifted
 * @property {number} most_gain
 * @property {number} level_groups
 * @property {number} silent
 * @property {number} silent_peak
 * @property {number} change_cost
 * @property {number} minimum_s
 * @property {number} least_state
 * @property {number} gap_hops
 * @property {number} least_vote
 * @property {number} least_odds
 * @property {number} short_s
 * @property {number} far_outside
 * @property {number} closed
 * @property {number} places
 * @property {number} most_styles
 * @property {MixRules} mix
 * @property {{tags: number, windows: number, typical_s: number, groups: number}} reasons
 */
/**
 * The second line of the out-of-domain detector, over tags and texture.
 *
 * @typedef {?{offset: number, limit: number, short_limit: number, margin: number}} SecondLine
 */
/**
 * @typedef {object} HeadSettings
 * @property {string[]} labels
 * @property {"votes"|"average"} kind
 * @property {number} power
 * @property {[number, number][]} calibration
 * @property {number} min_confidence
 * @property {?{offset: number, limit: number, slope: number}} detector
 * @property {{label: string, tags: number[], least: number}[]} gates
 * @property {?{calibration: [number, number][], ask_below: number, detector: SecondLine}} texture
 */
/** @typedef {{data: Float64Array, shape: number[]}} Values */
/**
 * @typedef {object} Model
 * @property {Spec} features
 * @property {?Spec} texture
 * @property {?string[]} embedding_names
 * @property {number} windows_per_track
 * @property {number} stop_confidence
 * @property {HeadSettings} head
 * @property {{name: string, tag: string, least: number, genres: string[]}[]} styles
 * @property {{genre: string, name: string, colour: string}[]} genres
 * @property {Rules} rules
 * @property {Record<string, Values>} arrays
 * @property {string} sha256
 */

/** @param {string} path @returns {Promise<Response>} */
async function ask(path) {
  const response = await fetch(new URL(`../model/${path}`, import.meta.url));
  if (!response.ok) throw new Error(`model/${path} is missing: build the site again.`);
  return response;
}

/** @param {string} path */
export const bytesOf = async (path) => new Uint8Array(await (await ask(path)).arrayBuffer());

/** Settings alone, for the page. @returns {Promise<Model>} */
export const readSettings = async () => (await ask("model.json")).json();

/** @returns {Promise<Model>} */
export async function readModel() {
  const [values, response] = await Promise.all([readSettings(), ask("head.bin")]);
  const numbers = new Float64Array(await response.arrayBuffer());
  /** @type {Record<string, Values>} */
  const arrays = {};
  for (const [name, { shape, start }] of Object.entries(
    /** @type {Record<string, any>} */ (values.arrays),
  )) {
    const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    arrays[name] = { shape, data: numbers.subarray(start, start + size) };
  }
  return { ...values, arrays };
}
