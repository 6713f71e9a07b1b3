// From embeddings to probabilities, as `tonearm/model/head.py`: votes of windows, calibration, the
// out-of-domain detector, gates, and the second encoder's votes.

/** @typedef {import("./model.js").Model} Model */
/** @typedef {ArrayLike<number>} Row */
/**
 * @typedef {object} HeadOutput
 * @property {number[]} probabilities
 * @property {boolean} known
 * @property {number} unknown
 */

/** @param {Row} logits @param {number} [temperature] @returns {number[]} */
export function softmax(logits, temperature = 1) {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) most = Math.max(most, logits[i]);
  const odds = Array.from(logits, (value) => Math.exp((value - most) / temperature));
  const sum = odds.reduce((a, b) => a + b, 0);
  return odds.map((value) => value / sum);
}

const sigmoid = (/** @type {number} */ x) => 0.5 * (1 + Math.tanh(x / 2));
const clip = (/** @type {number} */ x, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.max(low, Math.min(high, x));

/** Mean of rows. @param {Row[]} rows @returns {number[]} */
export function meanRow(rows) {
  const sums = new Array(rows[0].length).fill(0);
  for (const row of rows) for (let i = 0; i < sums.length; i++) sums[i] += row[i];
  return sums.map((sum) => sum / rows.length);
}

/** The largest of them. @param {number[]} values */
export const argmax = (values) => values.indexOf(Math.max(...values));

export class Head {
  /** @param {Model} model */
  constructor({ head, arrays, rules }) {
    this.settings = head;
    this.labels = head.labels;
    this.arrays = arrays;
    this.rules = rules;
  }

  /** Probabilities to a power below 1. @param {Row} window @returns {number[]} */
  spread(window) {
    const { power } = this.settings;
    // Embeddings of imported encoders need not be probabilities.
    return Array.from(window, (value) => (power === 1 ? value : clip(value, 0, 1) ** power));
  }

  /** `row @ weight + bias`. @param {Row} row @param {string} weight @param {string} bias */
  linear(row, weight, bias) {
    const [{ data }, k] = [this.arrays[weight], this.labels.length];
    const sums = Array.from(this.arrays[bias].data);
    for (let i = 0; i < row.length; i++)
      for (let j = 0; j < k; j++) sums[j] += row[i] * data[i * k + j];
    return sums;
  }

  /** Texture within its limits. @param {Row} row */
  limited(row) {
    const limits = this.arrays["texture.limits"]?.data;
    return Array.from(row, (value, i) => (limits ? clip(value, -limits[i], limits[i]) : value));
  }

  /**
   * What the texture adds to each log vote: its own vote, and one by tags and texture together.
   *
   * @param {Row[]} windows
   * @param {Row[]} texture
   */
  textureVotes(windows, texture) {
    const rows = texture.map((row) => this.limited(row));
    const votes = this.meanVote(
      rows.map((row) => this.linear(row, "texture.weight", "texture.bias")),
    );
    if (!this.arrays["texture.joint_weight"]) return votes;
    const means = [...meanRow(windows.map((window) => this.spread(window))), ...meanRow(rows)];
    const joint = this.linear(means, "texture.joint_weight", "texture.joint_bias");
    return this.meanVote([joint]).map((value, i) => value + votes[i]);
  }

  /** Log of the mean vote. @param {number[][]} logits one row a window */
  meanVote(logits) {
    const mean = meanRow(logits.map((row) => softmax(row)));
    return mean.map((value) => Math.log(Math.max(value, this.rules.least_vote)));
  }

  /** Log votes of each window. @param {Row[]} windows */
  logVotes(windows) {
    return windows.map((window) =>
      softmax(this.linear(this.spread(window), "weight", "bias")).map((value) =>
        Math.log(Math.max(value, this.rules.least_vote)),
      ),
    );
  }

  /** @param {Row[]} windows */
  logits(windows) {
    const wide = windows.map((window) => this.spread(window));
    let z;
    if (this.settings.kind === "votes")
      z = this.meanVote(wide.map((row) => this.linear(row, "weight", "bias")));
    else {
      const logs = meanRow(wide).map((value) => Math.log(Math.max(value, this.rules.least_vote)));
      z = this.linear(logs, "weight", "bias");
    }
    const prior = this.arrays.prior?.data;
    if (prior) z = z.map((value, i) => value + prior[i]);
    const means = this.settings.gates.length ? meanRow(windows) : [];
    for (const gate of this.settings.gates) {
      const sum = gate.tags.reduce((total, tag) => total + means[tag], 0);
      if (sum < gate.least) z[this.labels.indexOf(gate.label)] += this.rules.closed;
    }
    return z;
  }

  /** @param {number[]} z @param {[number, number][]} mixture */
  calibrated(z, mixture) {
    const total = new Array(z.length).fill(0);
    for (const [weight, temperature] of mixture)
      softmax(z, temperature).forEach((value, i) => (total[i] += weight * value));
    return total;
  }

  /** By the first encoder alone. @param {Row[]} windows */
  probabilities(windows) {
    return this.calibrated(this.logits(windows), this.settings.calibration);
  }

  /** Mean log-odds of windows. @param {Row[]} windows */
  odds(windows) {
    const { least_odds } = this.rules;
    return meanRow(
      windows.map((window) =>
        Array.from(window, (value) => {
          const p = clip(value, least_odds, 1 - least_odds);
          return Math.log(p / (1 - p));
        }),
      ),
    );
  }

  /**
   * How far a track lies beyond what is known, by its tags; -Infinity without a detector.
   *
   * @param {Row[]} windows
   */
  beyond(windows) {
    const detector = this.settings.detector;
    if (!detector) return -Infinity;
    const line = this.onLine(this.odds(windows), this.arrays.detector.data, detector.offset);
    return line - (detector.limit + detector.slope / Math.sqrt(windows.length));
  }

  /** @param {number[]} row @param {Row} weight @param {number} offset */
  onLine(row, weight, offset) {
    return row.reduce((sum, value, i) => sum + value * weight[i], offset);
  }

  /**
   * Whether the texture is to say if it is music.
   *
   * @param {number} beyond
   * @param {number} length_s
   */
  suspects(beyond, length_s) {
    const second = this.settings.texture?.detector;
    if (!second || beyond >= this.rules.far_outside) return false;
    return beyond > -second.margin || length_s < this.rules.short_s;
  }

  /**
   * The second line of the detector, over tags and texture.
   *
   * @param {Row[]} windows
   * @param {Row[]} texture
   * @param {number} length_s
   */
  beyondByBoth(windows, texture, length_s) {
    const second = this.settings.texture?.detector;
    if (!second) throw new Error("this model has no texture detector"); // see `suspects`
    const { offset, limit, short_limit } = second;
    const row = [...this.odds(windows), ...meanRow(texture)];
    const line = this.onLine(row, this.arrays["texture.detector"].data, offset);
    return line - (length_s < this.rules.short_s ? short_limit : limit);
  }

  /** @param {number[]} probabilities */
  inDoubt(probabilities) {
    const second = this.settings.texture;
    return second !== null && Math.max(...probabilities) < second.ask_below;
  }

  /**
   * Whether the windows leave the track in such doubt that texture counts.
   *
   * @param {Row[]} windows
   * @param {number} [length_s]
   */
  wantsTexture(windows, length_s = Infinity) {
    if (!this.settings.texture) return false;
    return (
      this.inDoubt(this.probabilities(windows)) || this.suspects(this.beyond(windows), length_s)
    );
  }

  /**
   * All windows of a track together.
   *
   * @param {Row[]} windows
   * @param {?Row[]} [texture]
   * @param {number} [length_s] of the track
   * @returns {HeadOutput}
   */
  classify(windows, texture = null, length_s = Infinity) {
    let z = this.logits(windows);
    let probabilities = this.calibrated(z, this.settings.calibration);
    let beyond = this.beyond(windows);
    const second = this.settings.texture;
    if (texture?.length && second) {
      if (this.suspects(beyond, length_s)) beyond = this.beyondByBoth(windows, texture, length_s);
      if (this.inDoubt(probabilities)) {
        const vote = this.textureVotes(windows, texture);
        z = z.map((value, i) => value + vote[i]);
        probabilities = this.calibrated(z, second.calibration);
      }
    }
    const unknown = sigmoid(beyond);
    const known = Math.max(...probabilities) >= this.settings.min_confidence && unknown <= 0.5;
    return { probabilities, known, unknown };
  }

  /** Each window by itself, and last the probability of unknown. @param {Row[]} windows */
  classifyEach(windows) {
    return windows.map((window) => {
      const unknown = sigmoid(this.beyond([window]));
      return [...this.probabilities([window]).map((value) => value * (1 - unknown)), unknown];
    });
  }

  /** Whether no more windows are needed. @param {Row[]} windows @param {number} confidence */
  isConfident(windows, confidence) {
    const beyond = this.beyond(windows);
    const slope = this.settings.detector?.slope ?? 0;
    if (Math.abs(beyond) < (2 * slope) / Math.sqrt(windows.length)) return false;
    const highest = Math.max(...this.probabilities(windows));
    return beyond > 0 || highest >= Math.max(confidence, this.settings.min_confidence);
  }
}
