// The library as points: what sounds alike lies together. Wheel and drag move, a lasso selects.
import * as address from "./address.js";
import { get, send } from "./api.js";
import { save } from "./csv.js";
import { askGenre } from "./dialogs.js";
import { button, contextOf, count, el, fail, number, say, toast } from "./dom.js";
import { all, badge, kindOf, nameOf } from "./genres.js";
import { runJob } from "./jobs.js";
import { dots, placeOf } from "./points.js";
import * as player from "./player.js";
import * as reviews from "./reviews.js";
import { ifScanned, toScan } from "./scanned.js";
import { soundOf } from "./sounds.js";

/** @typedef {[number, number]} Spot x and y in pixels of the canvas */

const NEAR = 9; // pixels from the pointer
const MOVED = 4; // pixels: a hand that presses trembles
const MOST_CHIPS = 14;
const HINT = "Press Lasso, or hold Shift, and draw around tracks to select them.";
const KEYS = "arrows move, plus and minus zoom, Enter selects all tracks in view";
const WIDEST = 1.6; // times as wide as high: beyond that neighbours no longer look like it
/** @type {Record<string, string>} */
const COLOURS = { genre: "By sound", tag: "Genre tag", said: "Your reviews" };

/** Bytes of base64. @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;

/**
 * Whether a point lies in a polygon: a ray from it crosses the edge an odd number of times.
 *
 * @param {number} x
 * @param {number} y
 * @param {Spot[]} polygon
 */
function inside(x, y, polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

/**
 * The view of the library as points.
 *
 * @param {{onchange: () => void}} how called after something that changes the rows
 * @returns {import("./address.js").View}
 */
export function makeMap({ onchange }) {
  /** @type {Record<string, Uint8Array>} by what it is coloured: the index of each point's genre */
  const colours = {};
  let [ids, places] = [new Uint32Array(), new Uint16Array()];
  /** @type {(?string)[]} the first is none of them */
  let genres = [];
  let [by, frame, hovered] = ["genre", 0, -1];
  /** @type {?Spot[]} corners, while one is drawn */
  let lasso = null;
  /** @type {?{at: Spot, x: number, y: number, moved: boolean}} where it began */
  let drag = null;
  // The place of the map that is in the middle of the canvas, from 0 to 1.
  const view = { x: 0.5, y: 0.5, zoom: 1 };
  /** @type {Set<number>} */
  const selected = new Set(); // indices
  const canvas = el("canvas", {
    class: "points",
    tabindex: 0,
    role: "application",
    "aria-label": "Map",
  });
  const tip = el("div", { class: "tip", hidden: true });
  // On a phone it is one line that scrolls; whoever has no pointer scrolls it by arrows.
  const legend = el("ul", { class: "chips", "aria-label": "Genres", tabindex: 0 });
  const chosen = el("p", { class: "shown" }, "Placing the tracks…");
  const colour = el(
    "select",
    { "aria-label": "Coloured by", onchange: () => ((by = colour.value), relegend(), redraw()) },
    ...Object.entries(COLOURS).map(([value, text]) => el("option", { value }, text)),
  );
  const draw = button("Lasso", () => pressed(draw, draw.getAttribute("aria-pressed") !== "true"), {
    "aria-pressed": "false",
  });
  const acts = [
    button("Accept", () => review("accept")),
    button("Change…", () => review("change")),
    button("Reject", () => review("reject")),
    button("Playlist", playlist),
  ];
  const node = el(
    "div",
    { class: "mapped" },
    el("h1", { class: "unseen" }, "Map"),
    el("div", { class: "bar" }, chosen, ...acts, draw, colour),
    legend,
    el("div", { class: "sky" }, canvas, tip),
  );
  /** @param {HTMLElement} control @param {boolean} on */
  const pressed = (control, on) => control.setAttribute("aria-pressed", String(on));
  const setActs = () => acts.forEach((act) => (act.hidden = !selected.size));
  setActs();

  async function load() {
    const data = await ifScanned(() => get("/map"), null);
    if (!data) return chosen.replaceChildren("No tracks yet. ", toScan());
    ids = new Uint32Array(bytes(data.ids));
    places = new Uint16Array(bytes(data.places));
    genres = [null, ...data.genres];
    for (const name of Object.keys(COLOURS)) colours[name] = new Uint8Array(bytes(data[name]));
    if (!selected.size) chosen.textContent = HINT;
    canvas.setAttribute("aria-label", `Map of ${count(data.total, "track")}: ${KEYS}`);
    relegend();
    redraw();
  }

  function relegend() {
    /** @type {Map<number, number>} */
    const counts = new Map();
    for (const index of colours[by] ?? []) counts.set(index, (counts.get(index) ?? 0) + 1);
    const rows = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_CHIPS);
    legend.replaceChildren(
      ...rows.map(([index, files]) => {
        const none = by === "genre" ? "Unknown" : "None";
        const name = index ? nameOf(genres[index]) : none;
        const mark = badge(genres[index], `${name} ${number(files)}`);
        if (by !== "genre") return el("li", { class: "chip" }, mark);
        const to = address.href("list", { genre: genres[index] ?? "unknown" });
        return el("li", {}, el("a", { class: "chip", href: to }, mark));
      }),
    );
  }

  /** Pixels of a place, in the view as it is. */
  function frameOf() {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const fit = 0.94 * view.zoom;
    const across = Math.min(width, WIDEST * height) * fit;
    const down = Math.min(height, WIDEST * width) * fit;
    return { across, down, left: width / 2 - view.x * across, top: height / 2 - view.y * down };
  }

  const redraw = () => (frame ||= requestAnimationFrame(paint));

  function paint() {
    frame = 0;
    if (!canvas.clientWidth || !colours[by]) return; // hidden, or its points are on their way
    const known = new Map(all().map((row) => [row.genre, row.colour]));
    const none = known.get("unknown") ?? "#888888";
    const palette = genres.map((genre) => known.get(genre ?? "unknown") ?? none);
    dots(canvas, { places, values: colours[by], palette, selected, hovered, ...frameOf() });
    if (!lasso) return;
    const c = contextOf(canvas);
    c.beginPath();
    for (const [x, y] of lasso) c.lineTo(x, y);
    c.closePath();
    c.strokeStyle = c.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
    c.lineWidth = 2;
    c.stroke();
    c.globalAlpha = 0.15;
    c.fill();
    c.globalAlpha = 1;
  }

  /** The index of the point next to the pointer, or -1. @param {number} x @param {number} y */
  function nearest(x, y) {
    const now = frameOf();
    let [best, distance] = [-1, NEAR ** 2];
    for (let i = 0; i < ids.length; i++) {
      const [left, top] = placeOf(places, i, now);
      const square = (left - x) ** 2 + (top - y) ** 2;
      if (square < distance) [best, distance] = [i, square];
    }
    return best;
  }

  /** @param {Spot[]} polygon */
  function select(polygon) {
    const now = frameOf();
    selected.clear();
    for (let i = 0; i < ids.length; i++)
      if (inside(...placeOf(places, i, now), polygon)) selected.add(i);
    chosen.textContent = `${count(selected.size, "track")} selected`;
    say(chosen.textContent);
    setActs();
  }

  /** For who has no pointer to draw with. */
  function selectInSight() {
    const [right, bottom] = [canvas.clientWidth, canvas.clientHeight];
    select([
      [0, 0],
      [right, 0],
      [right, bottom],
      [0, bottom],
    ]);
  }

  const chosenIds = () => [...selected].map((i) => ids[i]);

  /** @param {string} verdict */
  async function review(verdict) {
    try {
      const genre = verdict === "change" ? await askGenre(null) : null;
      if (verdict === "change" && !genre) return;
      const said = { ids: chosenIds(), verdict, ...(genre ? { genre } : {}) };
      const { result } = await runJob("/review/all", said);
      const left = result.left_out
        ? `, ${result.left_out} reviewed before and left as they were`
        : "";
      const undo = { text: "Undo", run: reviews.undo };
      toast(`${count(result.reviewed, "track")} reviewed${left}.`, { action: undo });
      await load();
      onchange();
    } catch (error) {
      fail(error);
    }
  }

  async function playlist() {
    try {
      const { text, tracks, left_out } = await send("/playlist", { ids: chosenIds() });
      save(text, "tonearm.m3u8", "audio/x-mpegurl");
      toast(`${count(tracks, "track")} in tonearm.m3u8, with whole paths.`);
      const [first] = left_out;
      const left = `${count(left_out.length, "track")} left out`;
      if (first) toast(`${left}. ${first.path}: ${first.message}.`, { bad: true });
    } catch (error) {
      fail(error);
    }
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId); // a lasso may leave the canvas and come back
    /** @type {Spot} */
    const at = [event.offsetX, event.offsetY];
    if (event.shiftKey || draw.getAttribute("aria-pressed") === "true") lasso = [at];
    else drag = { at, x: view.x, y: view.y, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (lasso) lasso.push([event.offsetX, event.offsetY]);
    else if (drag) {
      const { across, down } = frameOf();
      view.x = drag.x - (event.offsetX - drag.at[0]) / across;
      view.y = drag.y - (event.offsetY - drag.at[1]) / down;
      drag.moved ||= Math.hypot(event.offsetX - drag.at[0], event.offsetY - drag.at[1]) > MOVED;
    } else hover(event);
    redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (lasso) select(lasso);
    else if (drag && !drag.moved) play(nearest(event.offsetX, event.offsetY));
    [lasso, drag] = [null, null];
    redraw();
  });
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  /** Closer or farther; what lies at x, y stays there. @param {number} factor */
  const zoomBy = (factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
    const before = frameOf();
    view.zoom = Math.max(0.8, Math.min(60, view.zoom * factor));
    const { across, down } = frameOf();
    view.x = (x - before.left) / before.across - (x - canvas.clientWidth / 2) / across;
    view.y = (y - before.top) / before.down - (y - canvas.clientHeight / 2) / down;
    redraw();
  };
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const step = 0.1 / view.zoom;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => void (view.x -= step),
      ArrowRight: () => void (view.x += step),
      ArrowUp: () => void (view.y -= step),
      ArrowDown: () => void (view.y += step),
      "+": () => zoomBy(1.3),
      "-": () => zoomBy(1 / 1.3),
      0: () => void Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 }),
      Enter: selectInSight,
    };
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
    redraw();
  });

  let asking = 0; // counts: an answer for a point that was left is too late
  /** @param {PointerEvent} event */
  async function hover(event) {
    const i = nearest(event.offsetX, event.offsetY);
    if (i === hovered) return;
    hovered = i;
    const asked = (asking += 1);
    tip.hidden = true;
    if (i < 0) return;
    const [x, y] = [event.offsetX, event.offsetY];
    const row = await get(`/tracks/${ids[i]}`).catch(() => null);
    if (!row || asked !== asking) return;
    tip.replaceChildren(el("strong", {}, soundOf(row).title), badge(kindOf(row)));
    tip.style.setProperty("left", `${Math.min(x + 12, canvas.clientWidth - 260)}px`);
    tip.style.setProperty("top", `${y + 14}px`);
    tip.hidden = false;
  }

  /** @param {number} i */
  async function play(i) {
    if (i < 0) return;
    const row = await get(`/tracks/${ids[i]}`);
    player.play(soundOf(row, () => address.go("list", { text: row.title || row.name })));
  }

  new ResizeObserver(redraw).observe(canvas);
  return {
    node,
    show() {
      player.setShown(null);
      load().catch(fail);
    },
  };
}
