// Why: what spoke for a genre and against the next one, as `tonearm/model/reasons.py`. Both heads
// are linear, so each tag and each filter has its exact share, in nats.
import { melCorners, windowS } from "./features.js";
import { meanRow } from "./head.js";
import { rounded } from "./segments.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./encoder.js").Embeddings} Embeddings */

/**
 * @param {Model} model
 * @param {import("./head.js").Head} head
 * @param {Embeddings} embeddings
 * @param {string[]} ranked genres, most probable first
 */
export function reasonsOf(model, head, embeddings, ranked) {
  if (head.settings.kind !== "votes") return null;
  const pair = ranked.slice(0, 2).map((genre) => head.labels.indexOf(genre));
  return {
    genre: ranked[0],
    against: ranked[1],
    tags: tagReasons(model, head, embeddings, pair),
    ...windowReasons(model, head, embeddings, pair),
    bands: bandReasons(model, head, embeddings, pair),
  };
}

/**
 * Column `pair[0]` less column `pair[1]` of weights [d, k].
 *
 * @param {import("./model.js").Values} weights
 * @param {number[]} pair
 */
function difference({ data, shape: [d, k] }, [first, second]) {
  return Array.from({ length: d }, (_, i) => data[i * k + first] - data[i * k + second]);
}

/**
 * @param {Model} model
 * @param {import("./head.js").Head} head
 * @param {Embeddings} embeddings
 * @param {number[]} pair
 */
function tagReasons(model, head, { values, modulations }, pair) {
  const usual = model.arrays["statistics.mean"]?.data;
  const spread = meanRow(values.map((window) => head.spread(window)));
  // Where the second encoder was asked, the vote by both together counts as well.
  const together = modulations ? model.arrays["texture.joint_weight"] : null;
  const joint = together ? difference(together, pair) : null;
  const amounts = difference(model.arrays.weight, pair).map(
    (weight, i) => (spread[i] - (usual?.[i] ?? 0)) * (weight + (joint?.[i] ?? 0)),
  );
  return amounts
    .map((amount, i) => ({
      tag: model.embedding_names?.[i] ?? String(i),
      amount: rounded(amount, 2),
    }))
    .sort((a, b) => Math.abs(b.amount) - Math.abs(a.amount))
    .slice(0, model.rules.reasons.tags);
}

/**
 * @param {Model} model
 * @param {import("./head.js").Head} head
 * @param {Embeddings} embeddings
 * @param {number[]} pair
 */
function windowReasons(model, head, { values, starts_s, duration_s }, [first, second]) {
  const window_s = windowS(model.features);
  const { windows, typical_s } = model.rules.reasons;
  const votes = head.logVotes(values);
  const found = votes
    .map((vote, i) => ({
      start_s: rounded(starts_s[i], 2),
      end_s: rounded(Math.min(starts_s[i] + window_s, duration_s), 2),
      amount: rounded(vote[first] - vote[second], 2),
    }))
    .sort((a, b) => b.amount - a.amount)
    .filter(apart(window_s))
    .slice(0, windows);
  const middles = starts_s.map((start) => start + window_s / 2);
  // Mean of what lies within five seconds of each window's middle.
  const typical = middles.map((middle) => {
    const near = votes.filter((_, j) => Math.abs(middles[j] - middle) <= typical_s / 2);
    return near.reduce((sum, vote) => sum + Math.exp(vote[first]), 0) / near.length;
  });
  const best = typical.indexOf(Math.max(...typical));
  const start = Math.max(0, Math.min(middles[best] - typical_s / 2, duration_s - typical_s));
  const end = Math.min(start + typical_s, duration_s);
  return { windows: found, typical_s: [rounded(start, 2), rounded(end, 2)] };
}

/** Keeps windows that overlap with none before. @param {number} window_s */
function apart(window_s) {
  /** @type {number[]} */
  const kept = [];
  return (/** @type {{start_s: number}} */ { start_s }) => {
    const free = kept.every((other) => Math.abs(other - start_s) >= 0.99 * window_s);
    if (free) kept.push(start_s);
    return free;
  };
}

/**
 * @param {Model} model
 * @param {import("./head.js").Head} head
 * @param {Embeddings} embeddings
 * @param {number[]} pair
 */
function bandReasons(model, head, { modulations }, pair) {
  const weights = model.arrays["texture.modulation_weight"];
  const usual = model.arrays["texture.modulation_mean"]?.data;
  if (!modulations || !weights || !usual || !model.texture) return [];
  const { groups } = model.rules.reasons;
  const means = meanRow(modulations);
  const amounts = difference(weights, pair).map((weight, i) => (means[i] - usual[i]) * weight);
  // Two numbers of every filter in each group of bands, then one over all of them.
  const split = Math.floor(amounts.length / (2 * groups + 1)) * 2 * groups;
  const rest = amounts.slice(split).reduce((sum, amount) => sum + amount, 0) / groups;
  const sums = new Array(groups).fill(rest);
  for (let i = 0; i < split; i++) sums[i % groups] += amounts[i];
  const edges = melCorners(model.texture, groups + 1);
  return sums.map((amount, i) => ({
    low_hz: Math.round(edges[i]),
    high_hz: Math.round(edges[i + 1]),
    amount: rounded(amount, 2),
  }));
}
