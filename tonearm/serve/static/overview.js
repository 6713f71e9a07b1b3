// The library in numbers: each is a link to the tracks it counts; scans; runs of writing.
import * as address from "./address.js";
import { get, send } from "./api.js";
import { bar, button, clock, count, el, fail, number, percent, scrollTable } from "./dom.js";
import { badge } from "./genres.js";
import { makeLearn, nameOfModel } from "./learn.js";

/** @typedef {import("./address.js").Values} Values */
/**
 * The library in numbers, as `/library` gives it where there is one.
 *
 * @typedef {object} Numbers
 * @property {boolean} exists
 * @property {number} tracks
 * @property {number} failed with those of `unread`
 * @property {{path: string, reason: string}[]} unread links and folders, which no list has
 * @property {number} missing files that are not in their folder any more
 * @property {number} offline tracks in folders that are not there now
 * @property {string[]} offline_folders
 * @property {number} damaged
 * @property {number} duration_s
 * @property {Record<string, number>} genres
 * @property {number[]} confidence tracks in ten steps
 * @property {number} untagged
 * @property {number} disagreeing
 * @property {number} copies
 * @property {string} model
 * @property {number} unwritten
 * @property {{accept?: number, change?: number, reject?: number}} reviewed
 */
/**
 * A run of writing; its number is that of `tonearm history`.
 *
 * @typedef {object} Run
 * @property {number} id
 * @property {number} started_s since 1970
 * @property {?number} finished_s null while it runs
 * @property {string} command
 * @property {?number} undoes the run that it takes back
 * @property {number} done files
 * @property {number} failed
 * @property {number} undone
 * @property {number[]} undone_by runs
 */
/** @typedef {{runs: Run[], total: number, next: ?number}} History */

const DAYS = 100; // hours from which on minutes do not matter
const UNREAD = 5; // links and folders that are named
const RUNS = 12; // at first; people look for the latest
const MORE_RUNS = 100; // at each press

/**
 * The view of the library in numbers.
 *
 * @param {{undoRun: (run: number) => void}} how
 * @returns {import("./address.js").View}
 */
export function makeOverview({ undoRun }) {
  const body = el("div", { class: "cards-of" });
  const scan = button("Scan", () => send("/scan").catch(fail), { class: "main", disabled: true });
  const heading = el("p", { class: "quiet" });
  const node = el(
    "div",
    { class: "overview" },
    el("div", { class: "bar first" }, el("h1", {}, "Overview"), heading, scan),
    body,
  );

  /** @param {string} text @param {Values} values */
  const link = (text, values) => el("a", { href: address.href("list", values) }, text);

  /**
   * A figure with its words, which leads to what it counts.
   *
   * @param {number} value
   * @param {string} text
   * @param {Values} values
   */
  const figure = (value, text, values) =>
    el(
      "a",
      { class: value ? "figure" : "figure none", href: address.href("list", values) },
      el("strong", {}, number(value)),
      el("span", {}, text),
    );

  /** @param {Numbers} seen */
  function genres(seen) {
    const most = Math.max(1, ...Object.values(seen.genres));
    const rows = Object.entries(seen.genres).map(([genre, files]) => {
      const known = genre === "unknown" ? null : genre;
      const to = el(
        "a",
        { href: address.href("list", { genre }) },
        badge(known),
        bar(files / most),
      );
      to.append(el("span", { class: "length" }, number(files)));
      return el("li", {}, to);
    });
    return el(
      "section",
      { class: "panel" },
      el("h2", {}, "Genres by sound"),
      el("ul", {}, ...rows),
    );
  }

  /** @param {Numbers} seen */
  function confidence(seen) {
    const most = Math.max(1, ...seen.confidence);
    const bins = seen.confidence.map((files, i) => {
      const range = `${i / 10}-${(i + 1) / 10}`;
      const to = { confidence: range };
      const label = `${count(files, "track")} from ${percent(i / 10)} to ${percent((i + 1) / 10)}`;
      const column = el("a", { class: "bin", href: address.href("list", to), "aria-label": label });
      const inner = el("span");
      // One track among thousands is seen, too; the column around it can be pressed even empty.
      inner.style.setProperty("height", `${files && Math.max(1, (100 * files) / most)}%`);
      column.append(inner, el("small", {}, `${10 * i}`));
      column.title = label;
      return column;
    });
    return el(
      "section",
      { class: "panel" },
      el("h2", {}, "Confidence, in percent"),
      el("div", { class: "bins" }, ...bins),
      el("p", {}, link("The least confident first", { sort: "confidence", review: "none" })),
    );
  }

  /** What could not be read and is no track: no list has it. @param {Numbers} seen */
  function unread({ unread }) {
    const rest = unread.length - UNREAD;
    const more = rest > 0 ? [`and ${number(rest)} more: tonearm list --failed`] : [];
    const lines = unread.slice(0, UNREAD).map(({ path, reason }) => `${path}: ${reason}`);
    return [...lines, ...more].map((text) => el("p", { class: "quiet path" }, text));
  }

  /** What a person may want to do something about. @param {Numbers} seen */
  function work(seen) {
    const { accept = 0, change = 0, reject = 0 } = seen.reviewed;
    return el(
      "section",
      { class: "panel" },
      el("h2", {}, "Worth a look"),
      el(
        "div",
        { class: "figures" },
        figure(seen.untagged, "without a genre tag", { tag: "none" }),
        figure(seen.disagreeing, "tagged with another genre", { tag: "disagree" }),
        figure(seen.genres.unknown ?? 0, "of an unknown genre", { genre: "unknown" }),
        figure(seen.failed - seen.unread.length, "could not be read", { state: "failed" }),
        figure(seen.damaged, "damaged", { state: "damaged" }),
        figure(seen.copies, "copies", { state: "copy" }),
        figure(accept + change + reject, "reviewed", { review: "some" }),
        figure(seen.unwritten, "reviewed, but not written yet", { review: "unwritten" }),
      ),
      ...unread(seen),
    );
  }

  /** Runs of writing, with their numbers on the command line. @param {History} answer */
  function history({ runs, total }) {
    // As `tonearm history`: what changed no file is no step that anybody looks for.
    const changed = runs.filter((run) => run.done || run.finished_s === null);
    const empty = runs.filter((run) => !changed.includes(run)).map((run) => run.id);
    const note = `Not listed, since they changed no file: run ${empty.join(", ")}.`;
    const rows = changed.map((run) => {
      const command = run.command === "page: write" ? "from this page" : run.command;
      const what = run.undoes ? `undo of run ${run.undoes}` : command;
      const at = new Date(run.started_s * 1000).toLocaleString();
      const left = run.done - run.undone;
      const undo = button("Undo", () => undoRun(run.id), { "aria-label": `Undo run ${run.id}` });
      // In the words of `tonearm history`.
      const some = left > 0 ? `${number(run.undone)} of them ` : "";
      const undone = `${some}undone by run ${run.undone_by.join(", ")} `;
      return el(
        "tr",
        {},
        el("td", { class: "length" }, number(run.id)),
        el("td", {}, at),
        el("td", {}, what),
        el("td", { class: "length" }, count(run.done, "file")),
        el("td", { class: "length" }, run.failed ? `${number(run.failed)} skipped` : ""),
        el("td", {}, run.undone ? undone : "", !run.undoes && left > 0 ? undo : ""),
      );
    });
    const heads = ["Run", "When", "What", "Written", "Skipped", "Undo"];
    const how = { numbers: ["Run", "Written", "Skipped"], className: "runs" };
    // No figure: runs that changed no file are among those to come.
    const more = button("Show earlier runs", () => {
      shownRuns += MORE_RUNS;
      refresh();
    });
    return el(
      "section",
      { class: "panel wide" },
      el("h2", {}, "Written so far"),
      changed.length
        ? scrollTable("Written so far", heads, rows, how)
        : el("p", { class: "quiet" }, "Nothing was written yet."),
      empty.length ? el("p", { class: "quiet" }, note) : null,
      runs.length < total ? el("div", { class: "line" }, more) : null,
    );
  }

  /** @param {Numbers} seen */
  const offline = (seen) =>
    el(
      "section",
      { class: "empty" },
      el("p", { class: "big" }, "Your music is not there"),
      el("p", {}, offlineWords(seen)),
      el("p", {}, "Connect its drive and load this page again."),
    );

  /** @param {string[]} folders */
  function empty(folders) {
    const words = folders.length
      ? "Press Scan to analyse your folders."
      : "Start Tonearm with the folder of your music, then scan it here:";
    return el(
      "section",
      { class: "empty" },
      el("p", { class: "big" }, "No tracks yet"),
      el("p", {}, words),
      folders.length ? null : el("code", {}, "tonearm serve ~/Music"),
    );
  }

  /** Tracks on a drive that is not there: neither lost, nor shown. @param {Numbers} seen */
  function offlineWords({ offline, offline_folders }) {
    const folders = offline_folders.slice(0, 3).join(", ");
    return `${count(offline, "track")} in ${folders}: not there now. Is the drive connected?`;
  }

  let shownRuns = RUNS;
  async function refresh() {
    try {
      const [seen, { folders }, runs, learning] = await Promise.all([
        get("/library"),
        get("/scan"),
        get(`/tags/history?limit=${shownRuns}`),
        get("/learn"),
      ]);
      scan.disabled = !folders.length;
      scan.title = folders.join("\n") || "start with `tonearm serve FOLDER`";
      if (!seen.exists || !seen.tracks) {
        heading.textContent = "";
        body.replaceChildren(seen.offline ? offline(seen) : empty(folders));
        return;
      }
      const hours = seen.duration_s / 3600;
      // To the second, as `tonearm status`, as long as it can be read at a glance.
      const length = hours < DAYS ? clock(seen.duration_s) : count(Math.round(hours), "hour");
      const size = `${count(seen.tracks, "track")}, ${length} of sound`;
      const model = learning.built_in ? "the built-in model" : nameOfModel(seen.model);
      heading.textContent = `${size}, classified by ${model}`;
      const panels = [
        seen.offline ? el("p", { class: "notice", role: "status" }, offlineWords(seen)) : null,
        work(seen),
        genres(seen),
        confidence(seen),
        makeLearn(learning),
        history(runs),
      ];
      body.replaceChildren(...panels.filter((panel) => panel !== null));
    } catch (error) {
      fail(error);
    }
  }

  return { node, show: refresh, refresh };
}
