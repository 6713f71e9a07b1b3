// The view of the library: filter, look, listen, review, write, undo.
import { get, query, send } from "./api.js";
import { askGenre, askMany, askWrite, showKeys } from "./asking.js";
import { makeDetail } from "./detail.js";
import { el, button, clock, count, percent, say, toast } from "./dom.js";
import { makeFilters } from "./filters.js";
import { badge, nameOf } from "./genres.js";
import * as player from "./player.js";
import { makeScan } from "./scan.js";
import { makeTable } from "./table.js";

const SAID = { accept: "✓ accepted", reject: "✗ rejected" };
const BATCH = 20_000; // ids in one request; the server takes 100,000
const wide = matchMedia("(min-width: 1000px)");

const bySound = (row) =>
  row.error
    ? el("span", { class: "quiet" }, "could not be read")
    : row.genre
      ? badge(row.genre)
      : badge(null, `Unknown (${nameOf(row.nearest)}?)`);
const confidence = (row) =>
  row.error ? "" : [bar(row.confidence), el("span", {}, percent(row.confidence))];
// Plain boxes: a thousand meters cost more than they show, next to their number.
function bar(fraction) {
  const inner = el("span");
  inner.style.setProperty("width", `${100 * fraction}%`);
  return el("span", { class: "bar-of", "aria-hidden": "true" }, inner);
}

const said = (row) =>
  row.review
    ? el(
        "span",
        { class: `review ${row.review.verdict}` },
        row.review.verdict === "change"
          ? `✎ ${nameOf(row.review.genre)}`
          : SAID[row.review.verdict],
      )
    : "";
const tag = (row) =>
  row.genres.length
    ? el("span", { class: row.by_tonearm ? "own" : "" }, row.genres.join(", "))
    : el("span", { class: "quiet" }, "–");

export function makeLibrary() {
  const selected = new Set();
  let [wanted, sort, descending, opened] = [{}, "path", false, false];
  const columns = [
    {
      name: "pick",
      title: "Selected",
      cell: (row) =>
        el("span", { class: "pick", "aria-hidden": "true" }, selected.has(row.id) ? "☑" : "☐"),
    },
    {
      name: "title",
      title: "Track",
      sort: "title",
      cell: (row) => [
        el("span", { class: "name" }, row.title || row.name),
        el("span", { class: "artist quiet" }, row.artist || ""),
      ],
    },
    { name: "tag", title: "Genre tag", sort: "tag", cell: tag },
    { name: "genre", title: "By sound", sort: "genre", cell: bySound },
    { name: "confidence", title: "Confidence", sort: "confidence", cell: confidence },
    {
      name: "length",
      title: "Length",
      sort: "duration",
      cell: (row) => (row.duration_s ? clock(row.duration_s) : ""),
    },
    { name: "said", title: "Review", cell: said },
  ];
  const fail = (error) => toast(error.message, { bad: true });
  const table = makeTable({
    label: "Tracks",
    columns,
    fetchPage,
    oncurrent,
    onopen,
    onsort,
    onfail: fail,
    isSelected: (row) => selected.has(row.id),
    onselect,
  });
  const detail = makeDetail({
    act,
    onclose: () => (detail.show(null), (opened = false), table.node.focus()),
  });
  const filters = makeFilters({
    onchange: (values) => ((wanted = values), selected.clear(), table.reload()),
  });
  const scan = makeScan({ onend: () => (table.reload({ keep: true }), begin()) });
  const numbers = el("p", { class: "numbers" });
  const shown = el("p", { class: "shown" });
  const write = button("Write…", writeAll, { class: "main", disabled: true });
  const undo = button("Undo writing", undoLast, { disabled: true });
  const many = button("Accept all…", acceptAll);
  const keys = button("Keys", showKeys, { title: "Key ?", class: "keyed" });
  const empty = el("section", { class: "empty", hidden: true });
  const whole = el(
    "div",
    { class: "whole", hidden: true },
    filters.node,
    el("div", { class: "bar" }, shown, many, undo, write, keys),
    el("div", { class: "split" }, table.node, detail.node),
  );
  const node = el(
    "div",
    { class: "library" },
    el("h1", { class: "unseen" }, "Library"),
    el("div", { class: "bar first" }, numbers, scan.node),
    empty,
    whole,
  );

  async function fetchPage(offset, limit) {
    const asked = wanted;
    const page = await get(`/api/tracks?${query({ ...wanted, sort, descending, offset, limit })}`);
    if (asked !== wanted) return page; // answers may come in another order than they were asked for
    const chosen = selected.size ? `, ${selected.size} selected` : "";
    shown.textContent = `${count(page.total, "track")} shown${chosen}`;
    many.disabled = !page.total;
    if (!offset) say(shown.textContent);
    return page;
  }

  function oncurrent(row) {
    if (row && (wide.matches || opened)) detail.show(row);
  }

  function onopen(row) {
    opened = true;
    detail.show(row);
  }

  function onsort(name) {
    descending = sort === name ? !descending : name === "confidence";
    sort = name;
    table.setSort(sort, descending);
    table.reload();
  }

  function onselect(rows, add = false) {
    for (const row of rows)
      if (selected.has(row.id) && !add && rows.length === 1) selected.delete(row.id);
      else selected.add(row.id);
    table.update(() => {});
    shown.textContent = `${count(table.total, "track")} shown, ${selected.size} selected`;
  }

  async function act(verdict) {
    const row = table.current;
    if (!row) return;
    const ids = selected.size ? [...selected] : [row.id];
    const genre = verdict === "change" ? await askGenre(row.nearest) : null;
    if (verdict === "change" && !genre) return;
    try {
      const done = await review(ids, verdict, genre);
      if (ids.length === 1 && done && verdict !== "clear") table.move(1);
      table.node.focus();
    } catch (error) {
      fail(error);
    }
  }

  async function review(ids, verdict, genre) {
    let [reviewed, skipped, unwritten] = [[], [], 0];
    for (let at = 0; at < ids.length; at += BATCH) {
      const values = { ids: ids.slice(at, at + BATCH), verdict };
      const part = await send("/api/review", genre ? { ...values, genre } : values);
      [reviewed, skipped, unwritten] = [
        reviewed.concat(part.reviewed),
        skipped.concat(part.skipped),
        part.unwritten,
      ];
    }
    const done = new Set(reviewed);
    table.update((row) => {
      if (done.has(row.id))
        row.review =
          verdict === "clear"
            ? null
            : { verdict, genre: verdict === "accept" ? row.nearest : genre };
    });
    if (ids.length > 1) selected.clear();
    if (table.current) oncurrent(table.current);
    table.update(() => {});
    if (skipped.length)
      toast(`${count(skipped.length, "track")} skipped: of an unknown genre, or not readable.`);
    const words = {
      accept: "accepted",
      change: `is ${nameOf(genre)}`,
      reject: "rejected",
      clear: "forgotten",
    }[verdict];
    if (reviewed.length) say(reviewed.length === 1 ? words : `${reviewed.length} ${words}`);
    offer(unwritten);
    return reviewed.length;
  }

  async function acceptAll() {
    try {
      const { ids } = await get(`/api/track-ids?${query({ ...wanted, sort, descending })}`);
      if (
        await askMany(
          `The genre by sound is accepted for ${count(ids.length, "track")}; no file is written.`,
          `Accept ${ids.length.toLocaleString("en")}`,
        )
      )
        await review(ids, "accept", null);
    } catch (error) {
      fail(error);
    }
  }

  async function writeAll() {
    try {
      const { changes } = await send("/api/tags/plan", {});
      if (!changes.length) return toast("Every accepted genre is in its file already.");
      if (!(await askWrite(changes))) return;
      write.disabled = true;
      say("Writing");
      // More than a request holds are all that there are.
      const ids = changes.length > BATCH ? undefined : changes.map((change) => change.id);
      const { run, written, failed } = await send("/api/tags/write", { ids });
      toast(`${count(written.length, "file")} written.`, {
        action: { text: "Undo", run: () => undoRun(run) },
      });
      left(failed);
      settle();
    } catch (error) {
      fail(error);
      begin();
    }
  }

  const left = (failed) => {
    for (const { name, reason } of failed.slice(0, 5)) toast(`${name}: ${reason}`, { bad: true });
    if (failed.length > 5)
      toast(`and ${count(failed.length - 5, "more file")} left as they are`, { bad: true });
  };

  function settle() {
    table.reload({ keep: true });
    begin();
  }

  async function undoRun(run) {
    try {
      const { undone, failed } = await send("/api/tags/undo", { run });
      toast(`${count(undone.length, "file")} put back.`);
      left(failed);
      settle();
    } catch (error) {
      fail(error);
    }
  }

  function undoLast() {
    undoRun(null);
  }

  /** Say on its button how much there is to write. */
  function offer(files) {
    write.textContent = files ? `Write ${count(files, "file")}…` : "Nothing to write";
    write.disabled = !files;
  }

  async function begin() {
    try {
      const [seen, folders, { next }] = await Promise.all([
        get("/api/library"),
        scan.refresh(),
        get("/api/tags/history"),
      ]);
      const some = seen.exists && seen.tracks > 0;
      whole.hidden = !some;
      empty.hidden = some;
      if (!some) {
        numbers.textContent = "";
        empty.replaceChildren(
          el("p", { class: "big" }, "No tracks yet"),
          el(
            "p",
            {},
            folders.length
              ? "Press Scan to analyse your folders."
              : "Name your music when you start the page, and scan it here:",
          ),
          folders.length ? "" : el("code", {}, "tonearm serve ~/Music"),
        );
        return;
      }
      numbers.textContent = [
        count(seen.tracks, "track"),
        `${seen.untagged.toLocaleString("en")} without a genre`,
        `${seen.disagreeing.toLocaleString("en")} with another genre in the tag than by sound`,
      ].join(" · ");
      if (!table.total) table.reload();
      offer(seen.unwritten);
      undo.disabled = next === null;
    } catch (error) {
      fail(error);
    }
  }

  node.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (
      typing ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      document.querySelector("dialog[open]")
    )
      return;
    if (event.key === " " && event.target.matches("button, a")) return;
    const keys = {
      " ": () => (oncurrent(table.current), detail.show(table.current), detail.toggle()),
      a: () => act("accept"),
      c: () => act("change"),
      r: () => act("reject"),
      u: () => act("clear"),
      n: () => table.move(1),
      p: () => table.move(-1),
      x: () => table.current && onselect([table.current]),
      w: writeAll,
      "/": filters.focus,
      "?": showKeys,
    };
    const run = keys[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  });

  return { node, show: begin, hide: () => player.stop() };
}
