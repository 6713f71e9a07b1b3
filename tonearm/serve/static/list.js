// The list of the library: filter, look, review, write, undo.
import * as address from "./address.js";
import { get, query } from "./api.js";
import { VERBS, askReviewedToo } from "./batch.js";
import * as columns from "./columns.js";
import { makeDetail } from "./detail.js";
import { ask, askGenre, askSome, showKeys } from "./dialogs.js";
import { button, count, el, fail, number, say, toast } from "./dom.js";
import { filtersOf, makeFilters, toQuery } from "./filters.js";
import { onLoad } from "./genres.js";
import { makeGroups } from "./groups.js";
import { runJob } from "./jobs.js";
import { bindKeys } from "./keys.js";
import * as reviews from "./reviews.js";
import { ifScanned, toScan } from "./scanned.js";
import { makeTable } from "./table.js";
import { writeGenres } from "./write.js";

/** @typedef {import("./api.js").Track} Track */
/** @typedef {import("./batch.js").Which} Which */

const wide = matchMedia("(min-width: 1000px)");
const MOST_ALBUMS = 100_000; // headers are made only in sight, so all of them may come at once

/**
 * The view of all tracks.
 *
 * @param {{onchange: () => void}} how `onchange()` after something that changes the numbers
 * @returns {import("./address.js").View & {reload: () => void}} `reload` asks for the rows again
 */
export function makeList({ onchange }) {
  /** @type {Set<number>} */
  const selected = new Set(); // ids, of rows in sight or not
  /** @type {address.Values} */
  let values = {};
  let asked = ""; // the address whose rows are shown
  let [opened, visible] = [false, false];
  // What is pressed next waits for it: it is about all tracks, even if they are not here yet.
  let selecting = Promise.resolve();
  const isSelected = (/** @type {Track} */ row) => selected.has(row.id);
  const table = makeTable({
    label: "Tracks",
    fetchPage,
    oncurrent,
    onopen,
    onsort,
    onfail: fail,
    isSelected,
    onselect,
    onall: () => (selected.size ? selectNone() : selectAll()),
  });
  const close = () => (detail.show(null), (opened = false), table.node.focus());
  const detail = makeDetail({ act, onclose: close, onopen: find });
  const filters = makeFilters({
    onchange: (now, typing) => address.go("list", { ...rest(values), ...now }, { replace: typing }),
    onleave: () => table.node.focus({ preventScroll: true }),
  });
  const shown = el("p", { class: "shown" });
  const nothing = el("div", { class: "nothing", hidden: true });
  const all = button("Review all…", reviewAll);
  const write = button("Write…", writeSome, { class: "main" });
  const group = button("By album", () => toggleGroups(), { "aria-pressed": "false" });
  const more = [
    button("Columns", chooseColumns),
    button("Export CSV", exportCsv),
    button("Keys", showKeys, { title: "Key ?", class: "keyed" }),
  ];
  const node = el(
    "div",
    { class: "list" },
    el("h1", { class: "unseen" }, "List"),
    filters.node,
    el("div", { class: "bar" }, shown, group, ...more, all, write),
    el("div", { class: "split" }, table.node, nothing, detail.node),
  );
  /** What is in the address besides filters: how it is sorted and grouped. */
  const rest = (/** @type {address.Values} */ now) => ({
    sort: now.sort,
    down: now.down,
    by: now.by,
  });
  const order = () => ({ sort: values.sort ?? "path", descending: values.down === "1" });

  /** @param {number} offset @param {number} limit */
  async function fetchPage(offset, limit) {
    const [now, begun] = [asked, performance.now()];
    const path = `/tracks?${query({ ...toQuery(values), ...order(), offset, limit })}`;
    const page = await ifScanned(() => get(path), { total: 0, tracks: [] });
    reviews.overlay(page.tracks, begun);
    if (now !== asked) return page; // answers may come in another order than they were asked for
    tell(page.total);
    nothing.hidden = page.total > 0;
    if (!page.total) showNothing();
    if (!offset) say(shown.textContent);
    return page;
  }

  function tell(total = table.total) {
    table.markAll(total > 0 && selected.size >= total);
    const chosen = selected.size ? `, ${number(selected.size)} selected` : "";
    shown.textContent = `${count(total, "track")} shown${chosen}`;
    all.disabled = write.disabled = !total && !selected.size;
    all.textContent = selected.size ? "Review selected…" : "Review all…";
  }

  /** Why the table is empty, and what to do; the track that was shown before is not among these. */
  function showNothing() {
    const filtered = Object.keys(filtersOf(values)).length > 0;
    nothing.replaceChildren(
      el("p", {}, filtered ? "No track meets these filters." : "No tracks yet."),
      filtered ? button("Clear filters", () => address.go("list", rest(values))) : toScan(),
    );
    detail.show(null);
  }

  /** @param {?Track} row */
  function oncurrent(row) {
    // On a narrow screen the panel covers the table: it comes when it is asked for.
    if (row && (wide.matches || opened)) detail.show(row);
  }

  /** @param {?Track} row */
  function onopen(row) {
    opened = true;
    detail.show(row);
  }

  /** @param {string} name */
  function onsort(name) {
    // The least confident first: these are the ones to look at.
    const first = name === "confidence" ? "" : values.sort === name ? "1" : "";
    const down = values.sort === name ? (values.down ? "" : "1") : first;
    address.go("list", { ...values, sort: name, down, by: "" });
  }

  /** @param {Track[]} rows @param {boolean} [add] */
  function onselect(rows, add = false) {
    for (const row of rows)
      if (!add && rows.length === 1 && selected.has(row.id)) selected.delete(row.id);
      else selected.add(row.id);
    tellSelected();
  }

  function selectNone() {
    selected.clear();
    tellSelected();
  }

  function tellSelected() {
    table.update();
    tell();
    say(shown.textContent);
  }

  function selectAll() {
    selecting = selectThem();
    return selecting;
  }

  async function selectThem() {
    try {
      const { ids } = await get(`/track-ids?${query(toQuery(values))}`);
      for (const id of ids) selected.add(id);
      tellSelected();
    } catch (error) {
      fail(error);
    }
  }

  /** Show a track, wherever in the library it is. @param {Track} row */
  function find(row) {
    address.go("list", { text: row.title || row.name });
  }

  /** Review the current track, or those that are selected. @param {string} verdict */
  async function act(verdict) {
    await selecting;
    if (selected.size > 1) return reviewMany(verdict, { ids: [...selected] });
    const row = table.current;
    if (!row) return;
    const genre = verdict === "change" ? await askGenre(row.nearest) : null;
    if (verdict === "change" && !genre) return;
    const done = reviews.review([row], verdict, genre);
    table.update();
    detail.refresh(row);
    if (done.length && verdict !== "clear") table.move(1);
    table.node.focus();
  }

  /**
   * What acts on all are about: the selection, else what the filter shows.
   *
   * @returns {Which}
   */
  const selection = () =>
    selected.size ? { ids: [...selected] } : { filter: toQuery(filtersOf(values)) };
  const scope = () =>
    selected.size ? count(selected.size, "selected track") : count(table.total, "track");

  async function reviewAll() {
    await selecting;
    const rows = Object.entries(VERBS).map(([name, text], i) => ({ name, text, main: !i }));
    const verdict = await ask(`Review ${scope()}`, ["This changes no music file."], rows);
    if (verdict) await reviewMany(verdict, selection());
  }

  /** @param {string} verdict @param {Which} which */
  async function reviewMany(verdict, which) {
    try {
      const nearest = table.current?.nearest ?? null;
      const genre = verdict === "change" ? await askGenre(nearest) : null;
      if (verdict === "change" && !genre) return;
      await reviews.settled();
      const too = await askReviewedToo(verdict, which);
      if (too === null) return;
      const said = { verdict, ...(genre ? { genre } : {}), reviewed_too: too };
      const { result, state } = await runJob("/review/all", { ...which, ...said });
      selected.clear();
      const parts = [
        `${state === "stopped" ? "Stopped: " : ""}${count(result.reviewed, "track")} reviewed`,
      ];
      if (result.left_out)
        parts.push(`${number(result.left_out)} reviewed before and left as they were`);
      if (result.skipped) parts.push(`${number(result.skipped)} of unknown genre skipped`);
      toast(`${parts.join(", ")}.`, { action: { text: "Undo", run: reviews.undo } });
      table.reload({ keep: true });
      onchange();
    } catch (error) {
      fail(error);
    }
  }

  async function writeSome() {
    await Promise.all([selecting, reviews.settled()]);
    const filtered = Object.keys(filtersOf(values)).length > 0;
    // Without a filter, no list of 100,000 numbers is sent for what the server knows anyway.
    const which = selected.size || filtered ? selection() : {};
    const words = selected.size || filtered ? `For ${scope()}.` : "For the whole library.";
    const job = await writeGenres(which, words).catch(fail);
    if (job) table.reload({ keep: true });
  }

  async function chooseColumns() {
    const names = await askSome("Columns", columns.CHOICES, columns.chosen());
    if (!names) return;
    columns.choose(names);
    setColumns();
  }

  function sorted() {
    const { sort, descending } = order();
    table.setSort(sort, descending);
  }

  function toggleGroups() {
    const by = values.by === "album" ? "" : "album";
    address.go("list", { ...values, by, sort: by, down: "" });
  }

  async function showGroups() {
    const on = values.by === "album";
    group.setAttribute("aria-pressed", String(on));
    if (!on) return table.setGroups([]);
    const now = asked;
    const path = `/albums?${query({ ...toQuery(values), limit: MOST_ALBUMS })}`;
    const albums = await ifScanned(() => get(path), { albums: [] });
    const accept = (/** @type {import("./groups.js").Album} */ album) =>
      reviewMany("accept", { filter: { album: album.first } });
    if (now === asked) table.setGroups(makeGroups(albums.albums, { accept }));
  }

  async function exportCsv() {
    const { saveCsv } = await import("./csv.js");
    saveCsv({ ...toQuery(values), ...order() }).catch(fail);
  }

  /** @param {address.Values} now */
  function show(now) {
    visible = true;
    values = now;
    filters.show(values);
    const wanted = address.href("list", values);
    if (wanted !== asked) {
      asked = wanted;
      selected.clear();
      nothing.hidden = true;
      if (!wide.matches) detail.show(null); // it covers the table, and is of another list
      tell(0);
      sorted();
      table.setGroups([]);
      table.reload();
      showGroups().catch(fail);
    } else if (table.current) detail.show(table.current);
    // Keys are to work without a click, but not to take the focus from a field.
    if (!document.activeElement || document.activeElement.matches("body, main"))
      table.node.focus({ preventScroll: true });
  }

  onLoad(table.update);
  reviews.onSent((undone, left) => {
    if (!left) onchange();
    if (undone) table.reload({ keep: true });
  });
  const setColumns = () => {
    table.setColumns(columns.makeColumns(isSelected));
    sorted();
  };
  for (const width of [1300, 1100, 640])
    matchMedia(`(max-width: ${width}px)`).addEventListener("change", setColumns);
  setColumns();

  const keys = {
    " ": () => (detail.show(table.current), detail.toggle()),
    a: () => act("accept"),
    c: () => act("change"),
    r: () => act("reject"),
    u: () => act("clear"),
    z: reviews.undo,
    n: () => table.move(1),
    p: () => table.move(-1),
    x: () => table.current && onselect([table.current]),
    w: writeSome,
    "/": filters.focus,
    "?": showKeys,
    arrowdown: () => table.move(1),
    arrowup: () => table.move(-1),
    "ctrl+a": selectAll,
  };
  bindKeys(() => visible, keys);

  return {
    node,
    show,
    hide() {
      visible = false;
      filters.leave();
    },
    reload() {
      if (asked) table.reload({ keep: true });
    },
  };
}
