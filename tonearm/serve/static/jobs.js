// Jobs that run: what, how far, how long, and Stop. Each end is announced once.
import { send } from "./api.js";
import { button, clock, el, fail, number, toast } from "./dom.js";
import { watchJobs } from "./server.js";

/** @typedef {import("./api.js").Job} Job */

/** @type {Map<number, (job: Job) => void>} called at the end of jobs that this page started */
const ended = new Map();

/**
 * Start a job and wait for its end.
 *
 * @param {string} path
 * @param {object} [values] the body of the request
 * @returns {Promise<Job>} as it is at its end
 */
export async function runJob(path, values = {}) {
  const { job } = await send(path, values);
  return new Promise((resolve) => ended.set(job.id, resolve));
}

/** @param {Job} job */
function row(job) {
  const fraction = job.total ? job.done / job.total : 0;
  // How much there is to do is not known yet, as while a scan looks for files.
  const looking = job.message || !job.total;
  const progress = el("progress", { max: 1, "aria-label": job.title });
  if (!looking) progress.value = fraction;
  const left = job.left_s === null ? "" : `, ${clock(job.left_s)} left`;
  const words = looking ? job.message : `${number(job.done)} of ${number(job.total)}${left}`;
  return el(
    "li",
    { class: "job" },
    el("strong", {}, job.title),
    progress,
    el("span", { class: "quiet" }, words),
    button("Stop", () => send(`/jobs/${job.id}`, undefined, "DELETE").catch(fail), {
      "aria-label": `Stop: ${job.title}`,
    }),
  );
}

/**
 * The list of running jobs: those of another page, or of this one before it was loaded again, too.
 *
 * @param {{onend: (job: Job) => void}} how `onend` is called once for each that ends
 * @returns {{node: HTMLElement}}
 */
export function makeJobs({ onend }) {
  const node = el("ul", { class: "jobs", "aria-label": "Running jobs", hidden: true });
  /** @type {Set<number>} */
  const running = new Set();
  let shown = "";

  watchJobs((jobs) => {
    const now = jobs.filter((job) => job.state === "running");
    const state = JSON.stringify(now);
    if (state !== shown) {
      shown = state;
      update(now);
    }
    for (const job of jobs) {
      if (job.state === "running") running.add(job.id);
      else if (running.has(job.id) || ended.has(job.id)) {
        running.delete(job.id);
        const resolve = ended.get(job.id);
        ended.delete(job.id);
        if (job.state === "failed") toast(`${job.title}: ${job.message}`, { bad: true });
        onend(job);
        resolve?.(job);
      }
    }
  });

  /**
   * Rows stay what they are where they can: a button that is pressed must not be replaced.
   *
   * @param {Job[]} jobs
   */
  function update(jobs) {
    node.hidden = !jobs.length;
    const rows = /** @type {HTMLElement[]} */ ([...node.children]);
    const old = new Map(rows.map((child) => [child.dataset.id, child]));
    node.replaceChildren(
      ...jobs.map((job) => {
        const fresh = row(job);
        const kept = old.get(String(job.id));
        fresh.dataset.id = String(job.id);
        if (!kept) return fresh;
        for (const tag of ["progress", "span"])
          kept.querySelector(tag)?.replaceWith(fresh.querySelector(tag) ?? "");
        return kept;
      }),
    );
  }
  return { node };
}
