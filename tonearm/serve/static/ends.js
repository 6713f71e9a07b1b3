// The end of a job, in words.
import { count, number, toast } from "./dom.js";

/**
 * @param {import("./api.js").Job} job
 * @param {{undoRun: (run: number) => void}} how
 */
export function tellEnd(job, { undoRun }) {
  if (job.state === "failed") return;
  if (job.kind === "write" || job.kind === "undo") tellWritten(job, undoRun);
  if (job.kind === "scan") tellScanned(job);
}

function tellWritten({ kind, state, total, done, result }, undoRun) {
  const word = kind === "write" ? "written" : "restored";
  const rest = state === "stopped" ? `, ${number(total - done)} left: press Write to go on` : "";
  const changed = result.changed ?? 0;
  const action = { text: "Undo", run: () => undoRun(result.run) };
  toast(`${count(changed, "file")} ${word}${rest}.`, kind === "write" && changed ? { action } : {});
  for (const { name, reason } of (result.failed ?? []).slice(0, 2))
    toast(`${name}: ${reason}`, { bad: true });
  if (result.failures > 2)
    toast(`${count(result.failures - 2, "more file")} skipped.`, { bad: true });
}

function tellScanned({ state, result }) {
  const parts = ["analysed", "recognised", "unchanged"].map((key) => `${result[key] ?? 0} ${key}`);
  if (result.failed) parts.push(`${result.failed} could not be read`);
  toast(`${state === "stopped" ? "Stopped" : "Scanned"}: ${parts.join(", ")}.`);
}
