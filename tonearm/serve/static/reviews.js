// Reviews on their way: shown at once, sent in order, kept until the server has them.
import { Problem, send } from "./api.js";
import { asError, count, fail, say, toast } from "./dom.js";
import { loadOwn, mayBeOwn, nameOf } from "./genres.js";
import { isOnline } from "./server.js";

/** @typedef {import("./api.js").Track} Track */

const STORE = "tonearm.reviews";
const RETRY_MS = 1_000;
const LOOK_MS = 30;
/** @type {Record<string, string>} */
const WORDS = { accept: "accepted", reject: "rejected", clear: "cleared" };

/** @typedef {(undone: boolean, left: number) => void} Watcher */

/** @type {{path: string, values: {ids?: number[]}}[]} */
const queue = JSON.parse(localStorage.getItem(STORE) ?? "[]");
/** @type {Set<Watcher>} */
const watchers = new Set();
/**
 * What was said lately, by id of the track, and when the server had it.
 *
 * @type {Map<number, {review: Track["review"], sentAt: number}>}
 */
const recent = new Map();
let busy = false;
let ownDiffer = false; // whether a person's own genres may be others than those that are shown

/**
 * Call back after each answer.
 *
 * @param {Watcher} callback with whether it was an undo, and the number still to send
 */
export const onSent = (callback) => watchers.add(callback);

/** @returns {number} how many are not sent yet */
export const pending = () => queue.length;

/**
 * Wait until the server has them all: what is counted or written next has to know them.
 *
 * @returns {Promise<void>}
 */
export async function settled() {
  while (queue.length) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

const keep = () => localStorage.setItem(STORE, JSON.stringify(queue));

/** Why a track cannot be reviewed so. @param {Track} row */
const whyNot = ({ error, mix }) => {
  if (error) return "A file that could not be read has nothing to review.";
  const what = mix ? "It is a mix, without a single genre" : "Its genre is unknown";
  return `${what}. Use Change to say what it is.`;
};

/**
 * Review tracks: their rows change now, the server follows.
 *
 * @param {Track[]} rows
 * @param {string} verdict
 * @param {?string} [genre] with "change"
 * @returns {Track[]} the rows that can be reviewed so
 */
export function review(rows, verdict, genre = null) {
  const fit = rows.filter((row) => !row.error && (row.genre || verdict !== "accept"));
  const skipped = rows.length - fit.length;
  if (skipped) toast(whyNot(rows[0]));
  if (!fit.length) return fit;
  for (const row of fit)
    row.review =
      verdict === "clear" ? null : { verdict, genre: verdict === "accept" ? row.genre : genre };
  const ids = fit.map((row) => row.id);
  for (const row of fit) recent.set(row.id, { review: row.review, sentAt: Infinity });
  push("/review", genre ? { ids, verdict, genre } : { ids, verdict });
  const words = verdict === "change" ? `is ${nameOf(genre)}` : WORDS[verdict];
  say(fit.length === 1 ? words : `${fit.length} ${words}`);
  return fit;
}

/**
 * Rows of an answer that was asked for at `asked` do not know what was said since.
 *
 * @param {Track[]} rows
 * @param {number} asked `performance.now()`
 * @returns {void}
 */
export function overlay(rows, asked) {
  for (const row of rows) {
    const said = recent.get(row.id);
    if (said && said.sentAt > asked) row.review = said.review;
  }
}

/**
 * Take back the last step, whichever page or batch made it.
 *
 * @returns {void}
 */
export function undo() {
  push("/review/undo", {});
  if (!isOnline()) toast("The last step is undone when Tonearm runs again.");
}

/** @param {string} path @param {{ids?: number[], verdict?: string, genre?: string}} values */
function push(path, values) {
  queue.push({ path, values });
  keep(); // before it is sent: a page that is closed meanwhile sends it the next time
  work();
}

/**
 * Send what is waiting, in order; also what an earlier page could not send any more.
 *
 * @returns {Promise<void>}
 */
export async function work() {
  if (busy) return;
  busy = true;
  while (queue.length) {
    const { path, values } = queue[0];
    const answer = await trySend(path, values);
    if (answer === null) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      continue;
    }
    queue.shift();
    keep();
    sent(path.endsWith("/undo"), values, answer);
  }
  busy = false;
}

/**
 * What follows from an answer.
 *
 * @param {boolean} undone
 * @param {{ids?: number[], genre?: string}} values
 * @param {{tracks?: number}} answer
 */
function sent(undone, { ids = [], genre }, answer) {
  if (undone) recent.clear();
  for (const id of ids) {
    const said = recent.get(id);
    if (said) said.sentAt = performance.now();
  }
  if (undone && answer.tracks) toast(`Undone: ${count(answer.tracks, "track")} as before.`);
  for (const watcher of watchers) watcher(undone, queue.length);
  ownDiffer ||= undone || mayBeOwn(genre);
  if (queue.length || !ownDiffer) return;
  ownDiffer = false;
  loadOwn().catch(fail);
}

/**
 * @param {string} path
 * @param {object} values
 * @returns {Promise<any>} empty where it is refused, null where the server is not there or not well
 */
async function trySend(path, values) {
  try {
    return await send(path, values);
  } catch (error) {
    // Refused, it is told and dropped, or it would stop all that follow; else it is tried again.
    if (!(error instanceof Problem) || !error.status || error.status >= 500) return null;
    toast(asError(error).message, { bad: true });
    return {};
  }
}
