// Reviews of many tracks: what is asked before.
import { get, query } from "./api.js";
import { ask } from "./dialogs.js";
import { count, number } from "./dom.js";

/** @typedef {{ids: number[], filter?: undefined}} ByIds */
/** @typedef {ByIds | {filter: Record<string, any>, ids?: undefined}} Which tracks */

/**
 * What can be said of tracks, with the words of its button.
 *
 * @type {Record<string, string>}
 */
export const VERBS = { accept: "Accept", change: "Change", reject: "Reject", clear: "Clear" };

/**
 * Whether tracks reviewed before are reviewed again: no, unless somebody says so.
 *
 * @param {string} verdict
 * @param {Which} which
 * @returns {Promise<?boolean>} null where somebody thinks better of it
 */
export async function askReviewedToo(verdict, which) {
  if (verdict === "clear") return true;
  const { total, before } = which.ids ? await countIds(which.ids) : await countFilter(which.filter);
  const fresh = { name: "no", text: `${VERBS[verdict]} ${number(total - before)}`, main: true };
  const every = { name: "yes", text: `${VERBS[verdict]} all ${number(total)}` };
  const words = before
    ? `You reviewed ${number(before)} of them before; only “${every.text}” changes these.`
    : "None of them was reviewed before.";
  const answers = before ? (before < total ? [fresh, every] : [every]) : [fresh];
  const answer = await ask(`${VERBS[verdict]} ${count(total, "track")}?`, [words], answers);
  return answer === null ? null : answer === "yes";
}

/** @param {number[]} ids */
async function countIds(ids) {
  const reviewed = new Set((await get("/track-ids?review=some")).ids);
  return { total: ids.length, before: ids.filter((id) => reviewed.has(id)).length };
}

/** How many tracks meet a filter, which need not be that of the table: an album is one. */
async function countFilter(/** @type {Record<string, any>} */ filter) {
  const totalOf = async (/** @type {Record<string, any>} */ wanted) =>
    (await get(`/tracks?${query({ ...wanted, limit: 1 })}`)).total;
  const total = await totalOf(filter);
  if (filter.review) return { total, before: filter.review === "none" ? 0 : total };
  return { total, before: await totalOf({ ...filter, review: "some" }) };
}
