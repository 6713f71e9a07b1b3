// The server's one stream of events: its jobs, and whether it is there at all.
import { eventsUrl } from "./api.js";
import { el } from "./dom.js";

const RETRY_MS = 1_500;
/** @typedef {import("./api.js").Job} Job */

/** @type {Set<(jobs: Job[]) => void>} */
const watchers = new Set();
/** @type {Set<(restarted: boolean) => void>} */
const returns = new Set();
/** @type {?string} by which a server is told from one that was started after it */
let startId = null;
/** @type {Job[]} */
let jobs = [];
let online = true;

/**
 * Call back with all jobs, at once and at each change.
 *
 * @param {(jobs: Job[]) => void} callback
 * @returns {void}
 */
export function watchJobs(callback) {
  watchers.add(callback);
  callback(jobs);
}

/**
 * Call back when the server is there again.
 *
 * @param {(restarted: boolean) => void} callback told whether it was started again meanwhile
 */
export const onReturn = (callback) => returns.add(callback);

/** @returns {boolean} whether the server is there */
export const isOnline = () => online;

/**
 * Connect, and say when the server is gone.
 *
 * @param {HTMLElement} place where it is said
 * @returns {void}
 */
export function connect(place) {
  const source = new EventSource(eventsUrl);
  source.addEventListener("hello", (event) => {
    const { id } = JSON.parse(event.data);
    const restarted = startId !== null && id !== startId;
    const back = !online || restarted;
    startId = id;
    setOnline(true, place);
    if (back) for (const callback of returns) callback(restarted);
  });
  source.addEventListener("jobs", (event) => {
    jobs = JSON.parse(event.data).jobs;
    for (const callback of watchers) callback(jobs);
  });
  const lost = () => {
    source.close(); // the browser's own retries take longer each time
    // What ran is over: a bar that stands still would say otherwise.
    jobs = jobs.map((job) => (job.state === "running" ? { ...job, state: "stopped" } : job));
    for (const callback of watchers) callback(jobs);
    setOnline(false, place);
    setTimeout(() => connect(place), RETRY_MS);
  };
  source.addEventListener("bye", lost);
  source.onerror = lost;
}

/** @param {boolean} value @param {HTMLElement} place */
function setOnline(value, place) {
  if (online === value) return;
  online = value;
  document.body.classList.toggle("offline", !online);
  place.replaceChildren();
  if (!online)
    place.append(
      el("strong", {}, "Tonearm has stopped."),
      el("span", {}, "This page continues when Tonearm runs again; reviews are kept until then."),
      el("code", {}, "tonearm serve"),
    );
}
