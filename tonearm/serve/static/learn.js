// Learning from corrections: what a new model would change, adopting it, and going back.
import { open } from "./dialogs.js";
import { button, count, el, fail, number, percent, scrollTable, toast } from "./dom.js";
import { badge } from "./genres.js";
import { runJob } from "./jobs.js";

const SHOWN = 12; // pairs of genres

/**
 * What to call a model in a sentence. One that `learn` made has the name of the one before it with
 * a plus.
 *
 * @param {string} name
 * @returns {string}
 */
export const nameOfModel = (name) =>
  name.endsWith("+") ? "a model that learnt from your corrections" : name;

/** Words between backquotes are what one types. @param {string} text */
const withCode = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

/**
 * The panel of what there is to learn.
 *
 * @param {{corrections: number, needed: number, built_in: boolean, model: string,
 *   proposal: ?import("./api.js").Job}} state what `/learn` says
 * @returns {?HTMLElement} null where there is nothing to learn and never was
 */
export function makeLearn({ corrections, needed, built_in, model, proposal }) {
  if (!corrections && built_in) return null;
  const since = built_in ? "" : " that the model has not learnt from";
  const enough = corrections >= needed;
  const words = enough
    ? "Tonearm can learn from these. First it shows what would change."
    : `Tonearm can learn from ${needed} or more of them: ${needed - corrections} to go.`;
  return el(
    "section",
    { class: "panel learns" },
    el("h2", {}, "Learn"),
    el("p", {}, `You accepted or corrected ${count(corrections, "track")}${since}. ${words}`),
    el(
      "div",
      { class: "line" },
      button("See what would change", () => learn().catch(fail), { disabled: !enough }),
      proposal ? button("Last result", () => show(proposal)) : null,
    ),
    built_in
      ? null
      : el(
          "div",
          { class: "line" },
          el("span", {}, `In use: ${nameOfModel(model)}. `),
          button("Back to the built-in model", () => revert().catch(fail)),
        ),
  );
}

async function learn() {
  const job = await runJob("/learn");
  if (job.state === "done") show(job);
}

async function revert() {
  const job = await runJob("/learn/revert");
  if (job.state === "done") toast("The library is classified by the built-in model again.");
}

/** @param {import("./api.js").Job} job */
function show(job) {
  const { result } = job;
  const better = result.after > result.before ? "main" : "";
  const dialog = open(
    "What a new model would change",
    { class: "difference" },
    el("p", {}, gain(result)),
    ...result.caveats.map((/** @type {string} */ text) =>
      el("p", { class: "quiet" }, ...withCode(text)),
    ),
    ...changes(result),
    el("p", { class: "quiet" }, "Adopting it changes no music file, and you can go back."),
    el(
      "div",
      { class: "line" },
      button("Adopt it", () => (dialog.close(), adopt(job).catch(fail)), { class: better }),
      button("Not now", () => dialog.close(), { class: better ? "" : "main" }),
    ),
  );
}

/** @param {import("./api.js").Job} job */
async function adopt(job) {
  const { state, result } = await runJob("/learn/adopt", { job: job.id });
  if (state === "done")
    toast(`The new model is in use: ${count(result.reclassified, "track")} classified again.`);
}

/** How much better it is, with how far chance may reach. @param {Record<string, any>} result */
function gain({ before, after, n, difference }) {
  const [low, high] = [difference.low, difference.high].map((value) => Math.round(100 * value));
  if (low === 0 && high === 0)
    return (
      `Of ${count(n, "correction")} that it had not seen, the new model agrees with you on as ` +
      "many as the one in use."
    );
  const range = `On other music, expect a gain of ${low} to ${high} points (95 % interval).`;
  return (
    `The new model agrees with you on ${percent(after)} of ${count(n, "correction")} that it had ` +
    `not seen, the one in use on ${percent(before)}. ${range}`
  );
}

/** Which genres become which others. @param {Record<string, any>} result */
function changes(result) {
  if (!result.changed) return [el("p", {}, "No track of the library would change.")];
  /** @type {{before: ?string, after: ?string, count: number}[]} */
  const most = result.changes.slice(0, SHOWN);
  const rows = most.map(({ before, after, count: files }) =>
    el(
      "tr",
      {},
      el("td", {}, badge(before)),
      el("td", {}, el("span", { "aria-hidden": "true" }, "→ "), badge(after)),
      el("td", { class: "length" }, number(files)),
    ),
  );
  const heads = ["By sound now", "By the new model", "Tracks"];
  const rest = result.changes.length - rows.length;
  return [
    el("p", {}, `${count(result.changed, "track")} would get another genre by sound:`),
    scrollTable("Changes", heads, rows, { numbers: ["Tracks"] }),
    rest > 0 ? el("p", { class: "quiet" }, `and ${count(rest, "rarer change")}`) : "",
  ];
}
