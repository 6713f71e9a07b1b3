// A table of any length: only the rows in sight exist, and their data comes page by page.
// Rows may be grouped: a group's header stands before its first row, and is none of the rows.
import { button, el } from "./dom.js";

/** @typedef {import("./api.js").Track} Track */
/** @typedef {import("./columns.js").Column} Column */
/** @typedef {{title: string, tracks: number, node: () => HTMLElement}} Group */
/** @typedef {{tracks: Track[], total: number}} Page */

const PAGE = 200;
const SPARE = 8; // rows made beyond either edge

/**
 * Places of rows among headers: both count from the top. By halving, since a library has thousands
 * of albums, and a frame asks for each row in sight.
 *
 * @param {Group[]} groups
 */
function makeLayout(groups) {
  /** @type {number[]} */
  const starts = []; // the first row of each group
  let sum = 0;
  for (const group of groups) {
    starts.push(sum);
    sum += group.tracks;
  }
  /** The last group that begins at or before a row. @param {number} index */
  function groupOf(index) {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  return {
    /** @param {number} total rows */
    height: (total) => total + starts.length,
    /** @param {number} index of a row */
    placeOf: (index) => (starts.length ? index + groupOf(index) + 1 : index),
    /**
     * What is at a place: a group's header, or a row.
     *
     * @param {number} place
     * @returns {{index: number, group?: undefined} | {group: number, index?: undefined}}
     */
    at(place) {
      if (!starts.length) return { index: place };
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle] + middle <= place) low = middle;
        else high = middle - 1;
      }
      return starts[low] + low === place ? { group: low } : { index: place - low - 1 };
    },
  };
}

/**
 * A table, empty at first: it asks for what is in sight.
 *
 * @param {{label: string, fetchPage: (offset: number, limit: number) => Promise<Page>,
 *   oncurrent: (row: ?Track) => void, onopen: (row: ?Track) => void,
 *   onsort: (name: string) => void, isSelected: (row: Track) => boolean,
 *   onselect: (rows: Track[], add?: boolean) => void, onall: () => void,
 *   onfail: (error: unknown) => void}} how
 *   `oncurrent` is called when another row has the cursor, `onopen` when one is pressed;
 *   `onselect` takes rows whose selection changes, or, with `add`, rows to add to it; `onall` is
 *   the box in the head
 */
export function makeTable(how) {
  const { label, fetchPage, oncurrent, onopen, onsort, isSelected, onselect, onall, onfail } = how;
  let [total, current, frame] = [0, 0, 0];
  let epoch = 0; // counts reloads: an answer to an earlier one is too late
  /** @type {Map<number, Track[]>} */
  let pages = new Map();
  /** @type {Set<number>} */
  let wanted = new Set();
  /** @type {Column[]} */
  let columns = [];
  /** @type {Group[]} */
  let groups = [];
  let layout = makeLayout(groups);
  /** @type {Map<number, HTMLElement>} */
  const shown = new Map(); // by place
  const headRow = el("div", { class: "row", role: "row", "aria-rowindex": 1 });
  // Not by Tab, from which the headings are next: by keyboard it is Ctrl+A.
  const all = button("☐", onall, { tabindex: -1, "aria-label": "Select all, or none" });
  const heads = el("div", { class: "heads", role: "rowgroup" }, headRow);
  const body = el("div", { class: "rows", role: "rowgroup" });
  const grid = el(
    "div",
    {
      class: "grid",
      role: "grid",
      tabindex: 0,
      "aria-label": label,
      "aria-multiselectable": "true",
    },
    heads,
    body,
  );

  /** @param {Column} column */
  function head(column) {
    const cell = el("div", {
      class: `cell ${column.name}`,
      role: "columnheader",
      "aria-sort": "none",
    });
    const { sort, title } = column;
    if (column.name === "pick") cell.append(all);
    else if (sort) cell.append(button(title, () => onsort(sort)));
    else cell.append(el("span", { class: "quiet" }, title));
    return cell;
  }

  const size = { row: 32, view: 0 }; // asked for once, not at each frame
  /** @param {number} index @returns {?Track} null as long as its page is on its way */
  const rowAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;

  /** Ask for a page, unless it is there or asked for. @param {number} page */
  async function need(page) {
    if (wanted.has(page)) return;
    wanted.add(page);
    const asked = epoch;
    try {
      const answer = await fetchPage(page * PAGE, PAGE);
      if (asked !== epoch) return;
      pages.set(page, answer.tracks);
      setTotal(answer.total);
      fillAll();
      if (Math.floor(current / PAGE) === page) oncurrent(rowAt(current));
    } catch (error) {
      wanted.delete(page); // to be asked for again when it is in sight
      if (asked === epoch) onfail(error);
    }
  }

  /** @param {number} value */
  function setTotal(value) {
    total = value;
    grid.setAttribute("aria-rowcount", String(total + 1));
    body.style.setProperty("height", `${layout.height(total) * size.row}px`);
    current = Math.min(current, Math.max(0, total - 1));
    draw();
  }

  /** Write what belongs to a place. @param {HTMLElement} node @param {number} place */
  function fill(node, place) {
    const { group, index } = layout.at(place);
    if (group !== undefined) {
      node.className = "row group";
      node.replaceChildren(groups[group].node());
      return;
    }
    const row = rowAt(index);
    node.replaceChildren(
      ...columns.map((column) => {
        const properties = { class: `cell ${column.name}`, role: "gridcell" };
        return el("div", properties, row && column.cell(row));
      }),
    );
    const chosen = row && isSelected(row);
    const state = [
      row ? "" : "pending",
      index === current ? "current" : "",
      chosen ? "chosen" : "",
    ];
    node.className = ["row", ...state, row?.error ? "failed" : ""].filter(Boolean).join(" ");
    node.setAttribute("aria-selected", chosen ? "true" : "false");
  }

  const fillAll = () => shown.forEach((node, place) => fill(node, place));

  function draw() {
    frame = 0;
    const height = size.row;
    const top = Math.max(0, grid.scrollTop);
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const end = layout.height(total) - 1;
    const last = total ? Math.min(end, Math.ceil((top + size.view) / height) + SPARE) : -1;
    for (const [place, node] of shown)
      if (place < first || place > last) {
        node.remove();
        shown.delete(place);
      }
    for (let place = first; place <= last; place++) {
      const { index } = layout.at(place);
      if (!shown.has(place)) {
        const id = index === undefined ? `group-${place}` : `row-${index}`;
        const node = el("div", { role: "row", id, "aria-rowindex": place + 2 });
        node.style.setProperty("transform", `translateY(${place * height}px)`);
        fill(node, place);
        shown.set(place, node);
        body.append(node);
      }
      if (index !== undefined && !rowAt(index)) need(Math.floor(index / PAGE));
    }
    if (shown.has(layout.placeOf(current)))
      grid.setAttribute("aria-activedescendant", `row-${current}`);
    else grid.removeAttribute("aria-activedescendant");
  }

  /** Put the cursor on a row, and the row in sight. @param {number} index */
  function go(index) {
    if (!total) return;
    const before = layout.placeOf(current);
    current = Math.max(0, Math.min(total - 1, index));
    const place = layout.placeOf(current);
    const top = place * size.row;
    const view = grid.clientHeight - heads.clientHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + size.row > grid.scrollTop + view) grid.scrollTop = top + size.row - view;
    draw();
    for (const which of [before, place]) {
      const node = shown.get(which);
      if (node) fill(node, which);
    }
    if (rowAt(current)) oncurrent(rowAt(current));
    else need(Math.floor(current / PAGE)); // which tells of it when it is there
  }

  function clear() {
    shown.forEach((node) => node.remove());
    shown.clear();
  }

  grid.addEventListener("scroll", () => (frame ||= requestAnimationFrame(draw)), { passive: true });
  // A row is higher on a phone: the style sheet says how high.
  new ResizeObserver(() => {
    const row = parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
    if (row !== size.row) clear();
    [size.row, size.view] = [row, grid.clientHeight];
    setTotal(total);
  }).observe(grid);
  body.addEventListener("click", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const node = target.closest("[role=row]");
    if (!node || node.id.startsWith("group-")) return;
    const index = Number(node.id.slice(4));
    const row = rowAt(index);
    if (row && (event.ctrlKey || event.metaKey || target.closest(".pick"))) onselect([row]);
    else if (row && event.shiftKey) onselect(between(current, index), true);
    go(index);
    if (!target.closest(".pick")) onopen(rowAt(index));
    grid.focus({ preventScroll: true });
  });
  grid.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(size.view / size.row) - 2);
    /** @type {Record<string, number>} */
    const keys = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: total - 1,
    };
    const to = keys[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.shiftKey) onselect(between(current, Math.max(0, Math.min(total - 1, to))), true);
    go(to);
  });

  /** Rows of a range, either way; those whose page is not there yet are left out. */
  function between(/** @type {number} */ from, /** @type {number} */ to) {
    const rows = [];
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) rows.push(rowAt(i));
    return rows.filter((row) => row !== null);
  }

  return {
    node: grid,
    go,
    /** Put the cursor some rows further. @param {number} by */
    move: (by) => go(current + by),
    /** The row that has the cursor, as soon as it is there. */
    get current() {
      return rowAt(current);
    },
    get total() {
      return total;
    },
    /** @param {Column[]} values from left to right */
    setColumns(values) {
      columns = values;
      headRow.replaceChildren(...columns.map(head));
      grid.style.setProperty("--columns", columns.map((column) => column.width).join(" "));
      fillAll();
    },
    /** @param {Group[]} values of all rows, in their order; none for no headers */
    setGroups(values) {
      groups = values;
      layout = makeLayout(groups);
      clear();
      setTotal(total);
    },
    /** Forget all data and begin again, at the top unless `keep`. */
    reload({ keep = false } = {}) {
      epoch += 1;
      wanted = new Set();
      const old = pages; // shown until the new ones are there: a table that blinks loses the eye
      pages = keep ? old : new Map();
      if (!keep) [current, grid.scrollTop] = [0, 0];
      // The first in any case: where nothing came before, something may come now.
      for (const page of keep && old.size ? [...old.keys()] : [0]) need(page);
      draw();
    },
    /** Show whether all rows are selected. @param {boolean} on */
    markAll: (on) => void (all.textContent = on ? "☑" : "☐"),
    /** Show changed rows where they are. */
    update: fillAll,
    /** Show by which column it is sorted. @param {string} name @param {boolean} descending */
    setSort(name, descending) {
      columns.forEach((column, i) => {
        const way = column.sort === name ? (descending ? "descending" : "ascending") : "none";
        headRow.children[i].setAttribute("aria-sort", way);
      });
    },
  };
}
