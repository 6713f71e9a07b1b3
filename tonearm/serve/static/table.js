// A table of any length: only the rows in sight exist, and their data comes page by page.
import { el } from "./dom.js";

const PAGE = 200;
const SPARE = 8; // rows made beyond either edge

/**
 * `columns`: {name, title, sort, cell(row)}. `fetchPage(offset, limit)` gives {total, tracks}.
 * Keys move the current row; `oncurrent(row)` is called, `onsort(name)` when a heading is pressed.
 */
export function makeTable({
  label,
  columns,
  fetchPage,
  oncurrent,
  onopen,
  onsort,
  isSelected,
  onselect,
  onfail,
}) {
  let [total, current, pages, wanted, epoch, frame] = [0, 0, new Map(), new Set(), 0, 0];
  const shown = new Map(); // index → element
  const heads = columns.map((column) => head(column));
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
    el(
      "div",
      { class: "heads", role: "rowgroup" },
      el("div", { class: "row", role: "row", "aria-rowindex": 1 }, ...heads),
    ),
    body,
  );

  function head(column) {
    const cell = el("div", {
      class: `cell ${column.name}`,
      role: "columnheader",
      "aria-sort": "none",
    });
    if (!column.sort) cell.append(el("span", { class: "unseen" }, column.title));
    else
      cell.append(
        el("button", { type: "button", onclick: () => onsort(column.sort) }, column.title),
      );
    return cell;
  }

  const size = { row: 44, view: 0 }; // asked for once, not at each frame
  const rowAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;

  async function need(number) {
    if (wanted.has(number)) return;
    wanted.add(number);
    const asked = epoch;
    try {
      const page = await fetchPage(number * PAGE, PAGE);
      if (asked !== epoch) return;
      pages.set(number, page.tracks);
      setTotal(page.total);
      for (const [index, node] of shown)
        if (Math.floor(index / PAGE) === number) fillRow(node, index);
      if (Math.floor(current / PAGE) === number) oncurrent(rowAt(current));
    } catch (error) {
      wanted.delete(number);
      if (asked === epoch) onfail(error);
    }
  }

  function setTotal(value) {
    total = value;
    grid.setAttribute("aria-rowcount", total + 1);
    body.style.setProperty("height", `${total * size.row}px`);
    current = Math.min(current, Math.max(0, total - 1));
    draw();
  }

  function fillRow(node, index) {
    const row = rowAt(index);
    node.replaceChildren(
      ...columns.map((column) => {
        const cell = el("div", { class: `cell ${column.name}`, role: "gridcell" });
        if (row) cell.append(...[column.cell(row)].flat().filter(Boolean));
        return cell;
      }),
    );
    const chosen = row && isSelected(row);
    node.className = [
      "row",
      row ? "" : "pending",
      index === current ? "current" : "",
      chosen ? "chosen" : "",
      row?.error ? "failed" : "",
    ]
      .join(" ")
      .trim();
    node.setAttribute("aria-selected", chosen ? "true" : "false");
  }

  function draw() {
    frame = 0;
    const height = size.row;
    const top = Math.max(0, grid.scrollTop);
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(total - 1, Math.ceil((top + size.view) / height) + SPARE);
    for (const [index, node] of shown)
      if (index < first || index > last) {
        node.remove();
        shown.delete(index);
      }
    for (let index = first; index <= last; index++) {
      if (!shown.has(index)) {
        const node = el("div", { role: "row", id: `row-${index}`, "aria-rowindex": index + 2 });
        node.style.setProperty("transform", `translateY(${index * height}px)`);
        fillRow(node, index);
        shown.set(index, node);
        body.append(node);
      }
      if (!rowAt(index)) need(Math.floor(index / PAGE));
    }
    if (shown.has(current)) grid.setAttribute("aria-activedescendant", `row-${current}`);
    else grid.removeAttribute("aria-activedescendant");
  }

  function go(index, { notify = true } = {}) {
    if (!total) return;
    const before = current;
    current = Math.max(0, Math.min(total - 1, index));
    const [height, headed] = [size.row, grid.firstChild.offsetHeight];
    const [top, view] = [current * height, grid.clientHeight - headed];
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + height > grid.scrollTop + view) grid.scrollTop = top + height - view;
    draw();
    for (const which of [before, current]) if (shown.has(which)) fillRow(shown.get(which), which);
    if (!rowAt(current)) need(Math.floor(current / PAGE));
    else if (notify) oncurrent(rowAt(current));
  }

  grid.addEventListener("scroll", () => (frame ||= requestAnimationFrame(draw)), { passive: true });
  new ResizeObserver(() => {
    const row = parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
    if (row !== size.row) {
      shown.forEach((node) => node.remove());
      shown.clear();
    }
    [size.row, size.view] = [row, grid.clientHeight];
    setTotal(total);
  }).observe(grid);
  body.addEventListener("click", (event) => {
    const node = event.target.closest("[role=row]");
    if (!node) return;
    const index = Number(node.id.slice(4));
    const row = rowAt(index);
    if (row && (event.ctrlKey || event.metaKey || event.target.closest(".pick"))) onselect([row]);
    else if (row && event.shiftKey) onselect(between(current, index));
    go(index);
    if (!event.target.closest(".pick")) onopen?.(rowAt(index));
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
    get total() {
      return total;
    },
    /** Forget all data and start again, at the top unless `keep`. */
    reload({ keep = false } = {}) {
      epoch += 1;
      wanted = new Set();
      const old = pages;
      pages = keep ? old : new Map();
      if (!keep) [current, grid.scrollTop] = [0, 0];
      for (const number of keep ? old.keys() : [0]) need(number);
      draw();
    },
    /** Show changed rows again, where they are. */
    update(change) {
      for (const rows of pages.values()) rows.forEach((row) => change(row));
      for (const [index, node] of shown) fillRow(node, index);
    },
    setSort(name, descending) {
      columns.forEach((column, i) => {
        const way = column.sort === name ? (descending ? "descending" : "ascending") : "none";
        heads[i].setAttribute("aria-sort", way);
      });
    },
  };
}
