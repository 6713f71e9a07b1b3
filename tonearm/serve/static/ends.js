// The end of a job, in words.
import { open } from "./dialogs.js";
import { button, count, el, number, scrollTable, toast } from "./dom.js";

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
  const failed = result.failed ?? [];
  for (const { name, reason } of failed.slice(0, NAMED)) toast(`${name}: ${reason}`, { bad: true });
  if (result.failures <= NAMED) return;
  const show = { text: "Show all", run: () => showSkipped(failed, result.failures) };
  const more = `${count(result.failures - NAMED, "more file")} skipped.`;
  toast(more, { bad: true, action: show });
}

/**
 * Name the files that were skipped, with the reasons.
 *
 * @param {{name: string, reason: string}[]} failed the first of them
 * @param {number} total
 */
function showSkipped(failed, total) {
  const rows = failed.map(({ name, reason }) =>
    el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, reason)),
  );
  const rest = total - rows.length;
  const dialog = open(
    "Skipped",
    {},
    scrollTable("Skipped", ["File", "Reason"], rows),
    rest > 0 ? el("p", { class: "quiet" }, `and ${number(rest)} more`) : null,
    button("Close", () => dialog.close()),
  );
}

/** @param {Job} job */
function tellScanned({ state, result }) {
  const parts = ["analysed", "recognised", "unchanged"].map((key) => `${result[key] ?? 0} ${key}`);
  if (result.failed) parts.push(`${result.failed} could not be read`);
  toast(`${state === "stopped" ? "Stopped" : "Scanned"}: ${parts.join(", ")}.`);
}
