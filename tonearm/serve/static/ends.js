// The end of a job, in words.
import { count, number, toast } from "./dom.js";

/** @typedef {import("./api.js").Job} Job */

/** @type {?() => void} closes the message whose Undo is of the latest run of writing */
let closeLast = null;
const NAMED = 2; // failed files that get a message of their own

/**
 * Tell the end of a job; those that failed altogether, and reviews, are told by who started them.
 *
 * @param {Job} job
 * @param {{undoRun: (run: number) => void}} how
 * @returns {void}
 */
export function tellEnd(job, { undoRun }) {
  if (job.state === "failed") return;
  if (job.kind === "write" || job.kind === "undo") tellWritten(job, undoRun);
  if (job.kind === "scan") tellScanned(job);
}

/**
 * @param {Job} job
 * @param {(run: number) => void} undoRun
 */
function tellWritten({ kind, state, total, done, result }, undoRun) {
  const word = kind === "write" ? "written" : "restored";
  const again = kind === "write" ? "Write" : "Undo";
  const rest =
    state === "stopped" ? `, ${number(total - done)} left: press ${again} to continue` : "";
  const changed = result.changed ?? 0;
  const action = { text: "Undo", run: () => undoRun(result.run) };
  // Its Undo would undo nothing any more, or what nobody means.
  closeLast?.();
  const close = toast(
    `${count(changed, "file")} ${word}${rest}.`,
    kind === "write" && changed ? { action } : {},
  );
  closeLast = close;
  for (const { name, reason } of (result.failed ?? []).slice(0, NAMED))
    toast(`${name}: ${reason}`, { bad: true });
  if (result.failures > NAMED)
    toast(`${count(result.failures - NAMED, "more file")} skipped.`, { bad: true });
}

/** @param {Job} job */
function tellScanned({ state, result }) {
  const parts = ["analysed", "recognised", "unchanged"].map((key) => `${result[key] ?? 0} ${key}`);
  if (result.failed) parts.push(`${result.failed} could not be read`);
  toast(`${state === "stopped" ? "Stopped" : "Scanned"}: ${parts.join(", ")}.`);
}
