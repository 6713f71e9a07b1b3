// One track after the other, large: from its most typical seconds, with a key for each genre.
import * as address from "./address.js";
import { get, query } from "./api.js";
import { makeDetail } from "./detail.js";
import { askGenre, showKeys } from "./dialogs.js";
import { el, button, fail, number } from "./dom.js";
import { badge, labels, nameOf, swatch } from "./genres.js";
import { filtersOf, toQuery } from "./filters.js";
import { bindKeys } from "./keys.js";
import * as reviews from "./reviews.js";

/** @typedef {import("./api.js").Track} Track */

const RECENT = "tonearm.genres"; // names that a person typed
const AHEAD = 50;

/** All genres, those a person named before first; the first nine have the keys 1 to 9. */
function choices() {
  const typed = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  const known = labels().map((row) => row.genre);
  return [...new Set([...typed, ...known])];
}

function remember(genre) {
  if (labels().some((row) => row.genre === genre)) return;
  const typed = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  const now = [genre, ...typed.filter((other) => other !== genre)].slice(0, 3);
  localStorage.setItem(RECENT, JSON.stringify(now));
}

export function makeReview() {
  /** @type {Track[]} */
  let rows = [];
  /** @type {address.Values} */
  let values = {};
  let [place, total, visible, asked, epoch] = [0, 0, false, "", 0];
  const detail = makeDetail({
    act,
    large: true,
    startOf,
    onclose: () => {},
    onopen: (row) => address.go("list", { text: row.title || row.name }),
  });
  const head = el("p", { class: "place", "aria-live": "polite" });
  const change = el("div", { class: "now-then" });
  const keys = el("div", { class: "genre-keys", role: "group", "aria-label": "Choose a genre" });
  const done = el("section", { class: "empty", hidden: true });
  const node = el(
    "div",
    { class: "reviewing" },
    el(
      "div",
      { class: "bar first" },
      el("h1", {}, "Review"),
      head,
      button("← Back", () => move(-1), { title: "Key P" }),
      button("Skip →", () => move(1), { title: "Key N" }),
      button("Undo", reviews.undo, { title: "Key Z" }),
      button("Keys", showKeys, { title: "Key ?", class: "keyed" }),
    ),
    done,
    el("div", { class: "stage" }, detail.node, el("div", { class: "side" }, change, keys)),
  );

  /** Not reviewed yet, the least confident first, unless the address says otherwise. */
  const wanted = () => ({ review: "none", state: "analysed", ...toQuery(filtersOf(values)) });

  async function begin() {
    const now = (epoch += 1);
    const order = { sort: values.sort ?? "confidence", descending: values.down === "1" };
    const page = await get(`/tracks?${query({ ...wanted(), ...order, limit: 1_000 })}`);
    if (now !== epoch) return;
    [rows, total, place] = [page.tracks, page.total, 0];
    draw();
  }

  function draw() {
    const row = rows[place] ?? null;
    done.hidden = Boolean(row);
    node.querySelector(".stage").hidden = !row;
    head.textContent = row ? `${number(place + 1)} of ${number(total)}` : "";
    if (!row) {
      const to = el("a", { href: address.href("list", { review: "some" }) }, "See your reviews");
      done.replaceChildren(el("p", { class: "big" }, "Nothing left to review"), to);
      detail.show(null);
      return;
    }
    detail.show(row);
    drawChange(row);
    drawKeys(row);
  }

  function drawChange(row) {
    const then = row.review?.genre ?? row.genre;
    const tag = row.genres.length ? el("span", { class: "tag-now" }, row.genres.join(", ")) : null;
    change.replaceChildren(
      el(
        "div",
        {},
        el("small", {}, "Genre tag now"),
        tag ?? el("span", { class: "quiet" }, "none"),
      ),
      el("span", { "aria-hidden": "true" }, "→"),
      el("div", {}, el("small", {}, row.review ? "Your review" : "By sound"), badge(then)),
    );
  }

  function drawKeys(row) {
    keys.replaceChildren(
      ...choices().map((genre, i) => {
        const pressed = row.review?.genre === genre;
        const choice = button("", () => choose(genre), {
          class: "choice",
          "aria-pressed": String(pressed),
          "aria-keyshortcuts": i < 9 ? String(i + 1) : null,
        });
        const key = i < 9 ? el("kbd", {}, String(i + 1)) : null;
        choice.append(swatch(genre), el("span", {}, nameOf(genre)), key ?? "");
        return choice;
      }),
      button("Another…", () => act("change"), { title: "Key C" }),
    );
  }

  /** A genre by its key: accepted where it is the one by sound. */
  function choose(genre) {
    const row = rows[place];
    if (row) said(row, row.genre === genre ? "accept" : "change", genre);
  }

  async function act(verdict) {
    const row = rows[place];
    if (!row) return;
    const genre = verdict === "change" ? await askGenre(row.nearest) : null;
    if (verdict === "change" && !genre) return;
    said(row, verdict, genre);
  }

  function said(row, verdict, genre) {
    if (verdict === "change") remember(genre);
    const fit = reviews.review([row], verdict, verdict === "change" ? genre : null);
    if (fit.length && verdict !== "clear") move(1);
    else draw();
  }

  function move(by) {
    place = Math.max(0, Math.min(rows.length, place + by));
    // More than a page: those reviewed meanwhile are not among the next.
    if (place >= rows.length - AHEAD && rows.length < total && !reviews.pending()) more();
    draw();
  }

  async function more() {
    const known = new Set(rows.map((row) => row.id));
    const page = await get(`/tracks?${query({ ...wanted(), sort: "confidence", limit: 1_000 })}`);
    rows.push(...page.tracks.filter((row) => !known.has(row.id)));
  }

  /** The most typical fifteen seconds begin there; a third of the track where none are known. */
  async function startOf(row) {
    const { typical_s } = await get(`/tracks/${row.id}`).catch(() => ({ typical_s: null }));
    return typical_s?.[0] ?? (row.duration_s ?? 0) / 3;
  }

  function show(now) {
    visible = true;
    values = now;
    const next = address.href("review", values);
    if (next === asked) return draw();
    asked = next;
    begin().catch(fail);
  }

  reviews.onSent((undone) => {
    if (!undone || !visible) return;
    move(-1);
    const row = rows[place];
    if (row) get(`/tracks/${row.id}`).then((track) => ((row.review = track.review), draw()), fail);
  });
  const byNumber = Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => [
      String(i),
      () => choices()[i - 1] && choose(choices()[i - 1]),
    ]),
  );
  bindKeys(() => visible, {
    ...byNumber,
    " ": detail.toggle,
    a: () => act("accept"),
    c: () => act("change"),
    r: () => act("reject"),
    u: () => act("clear"),
    z: reviews.undo,
    n: () => move(1),
    arrowright: () => move(1),
    p: () => move(-1),
    arrowleft: () => move(-1),
    "?": showKeys,
  });
  return { node, show, hide: () => (visible = false) };
}
