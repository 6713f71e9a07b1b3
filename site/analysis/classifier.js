// The two steps together, as `tonearm/model/classifier.py`; results as `predict --format jsonl`.
import { Encoder } from "./encoder.js";
import { windowS } from "./features.js";
import { Head, meanRow } from "./head.js";
import { together, withMix } from "./mix.js";
import { reasonsOf } from "./reasons.js";
import { rounded, segments } from "./segments.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./encoder.js").Embeddings} Embeddings */
/**
 * @typedef {object} Prediction
 * @property {?string} genre
 * @property {string} nearest
 * @property {number} confidence
 * @property {Record<string, number>} probabilities
 * @property {number} duration_s
 * @property {Record<string, number>} [mix]
 * @property {Record<string, number>} styles
 * @property {Record<string, number>} tags
 * @property {import("./segments.js").Segment[]} [timeline]
 * @property {"silent"|"short"} [note] where there was little to classify
 */

/**
 * Names with their values, highest first.
 *
 * @param {string[]} names
 * @param {number[]} values
 * @param {number} places
 */
function rank(names, values, places) {
  const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
  return Object.fromEntries(order.map((i) => [names[i], rounded(values[i], places)]));
}

/**
 * @param {Embeddings} embeddings
 * @param {number} window_s
 * @returns {?("silent"|"short")} why the genre is unknown or doubtful although the file is whole
 */
function noteOf({ silent, duration_s }, window_s) {
  if (silent) return "silent";
  return duration_s < window_s ? "short" : null;
}

export class Classifier {
  /**
   * @param {Model} model
   * @param {{first: import("./encoder.js").Network,
   *   second: () => Promise<import("./encoder.js").Network>}} networks
   */
  constructor(model, networks) {
    this.model = model;
    this.head = new Head(model);
    this.encoder = new Encoder(model, networks, (values, length_s) =>
      this.head.wantsTexture(values, length_s),
    );
  }

  /**
   * As many windows as it takes to be confident.
   *
   * @param {import("./decode.js").Sound} sound
   * @param {(fraction: number) => void} onProgress
   */
  async predict(sound, onProgress) {
    const { windows_per_track: count, stop_confidence } = this.model;
    const isEnough = (/** @type {Float32Array[]} */ values) =>
      this.head.isConfident(values, stop_confidence);
    const enough = stop_confidence < 1 ? isEnough : null;
    return this.classify(
      await this.encoder.embed(sound, { count, enough, grows: true, onProgress }),
    );
  }

  /**
   * The whole track, with its timeline and the reasons.
   *
   * @param {import("./decode.js").Sound} sound
   * @param {(fraction: number) => void} onProgress
   */
  async predictWhole(sound, onProgress) {
    const hop_s = this.model.rules.timeline_hop_s;
    const plan = { count: /** @type {"all"} */ ("all"), hop_s, reasons: true, onProgress };
    const embeddings = await this.encoder.embed(sound, plan);
    // Reasons ask the second encoder of every track; the answer heeds it only where it would have
    // been asked anyway.
    const wanted = this.head.wantsTexture(embeddings.values, embeddings.duration_s);
    const answer = this.classify(wanted ? embeddings : { ...embeddings, texture: null }, true);
    const ranked = Object.keys(answer.probabilities);
    // What tells one genre from another says nothing of silence.
    if (embeddings.silent) return { answer, reasons: null };
    return { answer, reasons: reasonsOf(this.model, this.head, embeddings, ranked) };
  }

  /**
   * @param {Embeddings} embeddings
   * @param {boolean} [timeline]
   * @returns {Prediction}
   */
  classify(embeddings, timeline = false) {
    const { model, head } = this;
    const { places } = model.rules;
    const output = head.classify(embeddings.values, embeddings.texture, embeddings.duration_s);
    const probabilities = rank(head.labels, output.probabilities, places);
    const [nearest] = Object.keys(probabilities);
    const names = model.embedding_names;
    const note = noteOf(embeddings, windowS(model.features));
    /** @type {Prediction} */
    const prediction = {
      genre: output.known ? nearest : null,
      nearest,
      confidence: probabilities[nearest],
      probabilities,
      duration_s: embeddings.duration_s,
      styles: {},
      tags: names ? rank(names, meanRow(embeddings.values), places) : {},
      ...(timeline ? { timeline: this.segments(embeddings) } : {}),
      ...(note ? { note } : {}),
    };
    const whole = withMix(prediction, head, embeddings, windowS(model.features));
    return { ...whole, styles: this.stylesOf(whole) };
  }

  /** @param {Embeddings} embeddings */
  segments({ values, starts_s, duration_s, texture, texture_starts_s }) {
    const { model, head } = this;
    const window_s = windowS(model.features);
    return segments(starts_s, head.classifyEach(values), {
      duration_s,
      window_s,
      together: (start, stop) => {
        const [begin, end] = [starts_s[start], starts_s[stop - 1] + window_s];
        const long_s = Math.min(model.texture ? windowS(model.texture) : 0, duration_s);
        // A long window that lies half in the next segment speaks for the other genre too.
        const inside = texture?.filter((_, i) => {
          const at = texture_starts_s[i];
          return Math.min(at + long_s, end) - Math.max(at, begin) > long_s / 2;
        });
        return together(head, head.classify(values.slice(start, stop), inside, duration_s));
      },
      minimum_s: model.rules.minimum_s,
      change_cost: model.rules.change_cost,
      rules: model.rules,
    });
  }

  /** @param {Prediction} prediction @returns {Record<string, number>} */
  stylesOf({ genre, tags }) {
    const found = this.model.styles
      .filter(
        (style) => genre && style.genres.includes(genre) && (tags[style.tag] ?? 0) >= style.least,
      )
      .sort((a, b) => tags[b.tag] / b.least - tags[a.tag] / a.least)
      .slice(0, this.model.rules.most_styles);
    return Object.fromEntries(found.map((style) => [style.name, tags[style.tag]]));
  }
}
