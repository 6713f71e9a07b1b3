// A table of any length: only the rows in sight exist, and their data comes page by page.
// Rows may be grouped: a group's header stands before its first row, and is none of the rows.
import { el } from "./dom.js";

/** @typedef {import("./api.js").Track} Track */
/** @typedef {{title: string, tracks: number, node: () => HTMLElement}} Group */

const PAGE = 200;
const SPARE = 8; // rows made beyond either edge

/** Places of rows among headers: both count from the top. */
function makeLayout(groups) {
  const starts = [];
  let sum = 0;
  for (const group of groups) {
    starts.push(sum);
    sum += group.tracks;
  }
  /** The last group that begins at or before a row. */
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
    height: (total) => total + starts.length,
    placeOf: (index) => (starts.length ? index + groupOf(index) + 1 : index),
    /** What is at a place: a group's header, or a row. */
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
 * @param {{label: string, fetchPage: (offset: number, limit: number) => Promise<any>,
 *   oncurrent: (row: Track) => void, onopen: (row: Track) => void,
 *   onsort: (name: string) => void, isSelected: (row: Track) => boolean,
 *   onselect: (rows: Track[], add?: boolean) => void, onfail: (error: Error) => void}} how
 */
export function makeTable(how) {
  const { label, fetchPage, oncurrent, onopen, onsort, isSelected, onselect, onfail } = how;
  let [total, current, epoch, frame] = [0, 0, 0, 0];
  let [pages, wanted] = [new Map(), new Set()];
  /** @type {any[]} */
  let columns = [];
  /** @type {Group[]} */
  let groups = [];
  let layout = makeLayout(groups);
  const shown = new Map(); // place → element
  const headRow = el("div", { class: "row", role: "row", "aria-rowindex": 1 });
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
    el("div", { class: "heads", role: "rowgroup" }, headRow),
    body,
  );

  function head(column) {
    const cell = el("div", {
      class: `cell ${column.name}`,
      role: "columnheader",
      "aria-sort": "none",
    });
    // Boxes need no title to be seen, what is not sorted has one that cannot be pressed.
    const plain = column.name === "pick" ? "unseen" : "quiet";
    if (!column.sort) cell.append(el("span", { class: plain }, column.title));
    else
      cell.append(
        el("button", { type: "button", onclick: () => onsort(column.sort) }, column.title),
      );
    return cell;
  }

  const size = { row: 32, view: 0 }; // asked for once, not at each frame
  /** @returns {?Track} */
  const rowAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;

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
      wanted.delete(page);
      if (asked === epoch) onfail(error);
    }
  }

  function setTotal(value) {
    total = value;
    grid.setAttribute("aria-rowcount", total + 1);
    body.style.setProperty("height", `${layout.height(total) * size.row}px`);
    current = Math.min(current, Math.max(0, total - 1));
    draw();
  }

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
        const cell = el("div", { class: `cell ${column.name}`, role: "gridcell" });
        if (row) cell.append(...[column.cell(row)].flat().filter(Boolean));
        return cell;
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

  function go(index, { notify = true } = {}) {
    if (!total) return;
    const before = layout.placeOf(current);
    current = Math.max(0, Math.min(total - 1, index));
    const place = layout.placeOf(current);
    const top = place * size.row;
    const view = grid.clientHeight - grid.firstElementChild.clientHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + size.row > grid.scrollTop + view) grid.scrollTop = top + size.row - view;
    draw();
    for (const which of [before, place]) if (shown.has(which)) fill(shown.get(which), which);
    if (!rowAt(current)) need(Math.floor(current / PAGE));
    else if (notify) oncurrent(rowAt(current));
  }

  function clear() {
    shown.forEach((node) => node.remove());
    shown.clear();
  }

  grid.addEventListener("scroll", () => (frame ||= requestAnimationFrame(draw)), { passive: true });
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
    if (!target.closest(".pick")) onopen?.(rowAt(index));
    grid.focus({ preventScroll: true });
  });
  grid.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(size.view / size.row) - 2);
    const to = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: total - 1,
    }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.shiftKey) onselect(between(current, Math.max(0, Math.min(total - 1, to))), true);
    go(to);
  });

  function between(from, to) {
    const rows = [];
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++)
      if (rowAt(i)) rows.push(rowAt(i));
    return rows;
  }

  return {
    node: grid,
    go,
    move: (by) => go(current + by),
    get current() {
      return rowAt(current);
    },
    get place() {
      return current;
    },
    get total() {
      return total;
    },
    /** @param {any[]} values each {name, title, sort, width, cell(row)} */
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
      const old = pages;
      pages = keep ? old : new Map();
      if (!keep) [current, grid.scrollTop] = [0, 0];
      for (const page of keep ? old.keys() : [0]) need(page);
      draw();
    },
    /** Show changed rows where they are. */
    update: fillAll,
    setSort(name, descending) {
      columns.forEach((column, i) => {
        const way = column.sort === name ? (descending ? "descending" : "ascending") : "none";
        headRow.children[i].setAttribute("aria-sort", way);
      });
    },
  };
}
