// The library in numbers: each is a link to the tracks it counts; scans; runs of writing.
import * as address from "./address.js";
import { get, send } from "./api.js";
import { el, bar, button, count, fail, number, percent } from "./dom.js";
import { badge } from "./genres.js";
import { makeLearn, nameOfModel } from "./learn.js";

/** @param {{undoRun: (run: number) => void}} how */
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

  const link = (text, values) => el("a", { href: address.href("list", values) }, text);

  /** A figure with its words, which leads to what it counts. */
  const figure = (value, text, values) =>
    el(
      "a",
      { class: value ? "figure" : "figure none", href: address.href("list", values) },
      el("strong", {}, number(value)),
      el("span", {}, text),
    );

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

  function confidence(seen) {
    const most = Math.max(1, ...seen.confidence);
    const bins = seen.confidence.map((files, i) => {
      const range = `${i / 10}-${(i + 1) / 10}`;
      const to = { confidence: range };
      const label = `${count(files, "track")} from ${percent(i / 10)} to ${percent((i + 1) / 10)}`;
      const column = el("a", { class: "bin", href: address.href("list", to), "aria-label": label });
      const inner = el("span");
      inner.style.setProperty("height", `${Math.max(1, (100 * files) / most)}%`);
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
        figure(seen.failed, "could not be read", { state: "failed" }),
        figure(seen.damaged, "damaged", { state: "damaged" }),
        figure(seen.copies, "copies", { state: "copy" }),
        figure(accept + change + reject, "reviewed", { review: "some" }),
        figure(seen.unwritten, "reviewed, but not written yet", { review: "some" }),
      ),
    );
  }

  function history({ runs, next }) {
    const rows = runs.slice(0, 12).map((run) => {
      const command = run.command === "page: write" ? "from this page" : run.command;
      const what = run.undoes ? `undo of run ${run.undoes}` : command;
      const at = new Date(run.started_s * 1000).toLocaleString();
      const left = run.done - run.undone;
      const undo = button("Undo", () => undoRun(run.id), { "aria-label": `Undo run ${run.id}` });
      return el(
        "tr",
        {},
        el("td", {}, at),
        el("td", {}, what),
        el("td", { class: "length" }, count(run.done, "file")),
        el("td", { class: "length" }, run.failed ? `${number(run.failed)} skipped` : ""),
        el("td", {}, !run.undoes && left > 0 ? undo : run.undone ? "undone" : ""),
      );
    });
    const heads = ["When", "What", "Written", "Skipped", ""];
    const titles = heads.map((text) => el("th", { scope: "col" }, text));
    const note = next === null && !runs.length ? "Nothing was written yet." : "";
    return el(
      "section",
      { class: "panel wide" },
      el("h2", {}, "Written so far"),
      note
        ? el("p", { class: "quiet" }, note)
        : el(
            "div",
            { class: "scroll", tabindex: 0, role: "region", "aria-label": "Written so far" },
            el("table", {}, el("thead", {}, el("tr", {}, ...titles)), el("tbody", {}, ...rows)),
          ),
    );
  }

  const away = (seen) =>
    el(
      "section",
      { class: "empty" },
      el("p", { class: "big" }, "Your music is away"),
      el("p", {}, awayWords(seen)),
      el("p", {}, "Connect it and load this page again."),
    );

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

  /** Tracks on a drive that is not there: neither lost, nor shown anywhere. */
  function awayWords({ away, away_folders }) {
    const folders = away_folders.slice(0, 3).join(", ");
    return `${count(away, "track")} in ${folders}: not there now, perhaps on a drive that is away.`;
  }

  async function refresh() {
    try {
      const [seen, { folders }, runs, learning] = await Promise.all([
        get("/library"),
        get("/scan"),
        get("/tags/history"),
        get("/learn"),
      ]);
      scan.disabled = !folders.length;
      scan.title = folders.join("\n") || "start with `tonearm serve FOLDER`";
      if (!seen.exists || !seen.tracks) {
        heading.textContent = "";
        body.replaceChildren(seen.away ? away(seen) : empty(folders));
        return;
      }
      const hours = number(Math.round(seen.duration_s / 3600));
      const size = `${count(seen.tracks, "track")}, ${hours} hours`;
      const model = learning.built_in ? "the built-in model" : nameOfModel(seen.model);
      const more = seen.away ? `. ${awayWords(seen)}` : "";
      heading.textContent = `${size}, classified by ${model}${more}`;
      const panels = [
        work(seen),
        genres(seen),
        confidence(seen),
        makeLearn(learning),
        history(runs),
      ];
      body.replaceChildren(...panels.filter(Boolean));
    } catch (error) {
      fail(error);
    }
  }

  return { node, show: refresh, refresh };
}
