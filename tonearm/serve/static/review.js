// One track after the other, large: from its most typical seconds, with a key for each genre.
import * as address from "./address.js";
import { get, query } from "./api.js";
import { makeDetail } from "./detail.js";
import { askGenre, genreButton, showKeys } from "./dialogs.js";
import { button, el, fail, number, say } from "./dom.js";
import { badge, choices, keyOf, kindOf, onLoad } from "./genres.js";
import { filtersOf, toQuery } from "./filters.js";
import { bindKeys } from "./keys.js";
import * as reviews from "./reviews.js";
import { ifScanned, toScan } from "./scanned.js";
import { soundOf } from "./sounds.js";
import { inShort } from "./words.js";
import { writeGenres } from "./write.js";

/** @typedef {import("./api.js").Track} Track */

const PAGE = 1_000;
const AHEAD = 50; // so many tracks before the end of a page, the next one is asked for
const NEAR = 1 / 3; // of a track: where its music is like itself, if nothing says where

/**
 * The view that goes through tracks one by one.
 *
 * @returns {import("./address.js").View}
 */
export function makeReview() {
  /** @type {Track[]} */
  let rows = [];
  /** @type {address.Values} */
  let values = {};
  let [place, total, visible, asked] = [0, 0, false, ""];
  let scanned = true; // whether there is a library
  /** @type {?number} the track that screen readers were told of last */
  let announced = -1;
  let epoch = 0; // counts what was asked for: an answer to an earlier filter is too late
  const detail = makeDetail({
    act,
    large: true,
    startOf,
    onclose: () => {},
    onopen: (row) => address.go("list", { text: row.title || row.name }),
  });
  const head = el("p", { class: "place" });
  const change = el("div", { class: "now-then" });
  const another = button("Another…", () => act("change"), { title: "Key C", class: "another" });
  another.append(el("kbd", {}, "C"));
  const keys = el("div", { class: "genre-keys", role: "group", "aria-label": "Choose a genre" });
  const done = el("section", { class: "empty", hidden: true });
  const side = el("div", { class: "side" }, change, keys);
  const stage = el("div", { class: "stage" }, detail.node, side);
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
      button("Write…", writeSome, { title: "Key W" }),
      button("Keys", showKeys, { title: "Key ?", class: "keyed" }),
    ),
    done,
    stage,
  );

  /** Not reviewed yet, the least confident first, unless the address says otherwise. */
  const wanted = () => ({ review: "none", state: "analysed", ...toQuery(filtersOf(values)) });

  const order = () => ({ sort: values.sort ?? "confidence", descending: values.down === "1" });

  async function begin() {
    const now = (epoch += 1);
    const path = `/tracks?${query({ ...wanted(), ...order(), limit: PAGE })}`;
    const page = await ifScanned(() => get(path), null);
    if (now !== epoch) return;
    [rows, total, place] = [page?.tracks ?? [], page?.total ?? 0, 0];
    scanned = page !== null;
    draw();
  }

  function draw() {
    const row = rows[place] ?? null;
    done.hidden = Boolean(row);
    stage.hidden = !row;
    head.textContent = row ? `${number(place + 1)} of ${number(total)}` : "";
    if (!row) {
      const to = el("a", { href: address.href("list", { review: "some" }) }, "See your reviews");
      const words = scanned ? "Nothing left to review" : "No tracks yet";
      done.replaceChildren(el("p", { class: "big" }, words), scanned ? to : toScan());
      if (announced !== null) say(words);
      announced = null;
      detail.show(null);
      return;
    }
    // Once for each track: it is drawn again after a review of it.
    if (row.id !== announced) say(`${soundOf(row).title}: ${inShort(row)}. ${head.textContent}`);
    announced = row.id;
    detail.show(row);
    drawChange(row);
    drawKeys(row);
  }

  /** Now and then, as two badges. @param {Track} row */
  function drawChange(row) {
    const then = row.review?.genre ?? kindOf(row);
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

  /** @param {Track} row */
  function drawKeys(row) {
    const pressed = (/** @type {string} */ genre) => String(row.review?.genre === genre);
    keys.replaceChildren(
      ...choices().map((genre, i) =>
        genreButton(genre, i, choose, { "aria-pressed": pressed(genre) }),
      ),
      another,
    );
  }

  /** A genre by its key: accepted where it is the one by sound. @param {string} genre */
  function choose(genre) {
    const row = rows[place];
    if (row) said(row, row.genre === genre ? "accept" : "change", genre);
  }

  /** @param {string} verdict */
  async function act(verdict) {
    const row = rows[place];
    if (!row) return;
    const genre = verdict === "change" ? await askGenre(row.nearest) : null;
    if (verdict === "change" && !genre) return;
    said(row, verdict, genre);
  }

  /** @param {Track} row @param {string} verdict @param {?string} genre */
  function said(row, verdict, genre) {
    const fit = reviews.review([row], verdict, verdict === "change" ? genre : null);
    if (fit.length && verdict !== "clear") move(1);
    else draw();
  }

  /** @param {number} by */
  function move(by) {
    // One place behind the last: there it says that nothing is left.
    place = Math.max(0, Math.min(rows.length, place + by));
    // More than a page: those reviewed meanwhile are not among the next.
    if (place >= rows.length - AHEAD && rows.length < total && !reviews.pending())
      more().catch(fail);
    draw();
  }

  async function more() {
    const known = new Set(rows.map((row) => row.id));
    const now = epoch;
    const page = await get(`/tracks?${query({ ...wanted(), ...order(), limit: PAGE })}`);
    if (now !== epoch) return;
    rows.push(...page.tracks.filter((/** @type {Track} */ row) => !known.has(row.id)));
  }

  /** Write what was said so far of what the filter shows, reviewed or not. */
  async function writeSome() {
    await reviews.settled();
    const filter = toQuery({ ...filtersOf(values), review: "", state: "" });
    const some = Object.keys(filter).length > 0;
    const words = some ? "For the tracks that the filter shows." : "For the whole library.";
    await writeGenres(some ? { filter } : {}, words).catch(fail);
  }

  /** The most typical fifteen seconds begin there; a third of the track where none are known. */
  async function startOf(/** @type {Track} */ row) {
    const { typical_s } = await get(`/tracks/${row.id}`).catch(() => ({ typical_s: null }));
    return typical_s?.[0] ?? NEAR * (row.duration_s ?? 0);
  }

  /** @param {address.Values} now */
  function show(now) {
    visible = true;
    values = now;
    const next = address.href("review", values);
    if (next === asked && scanned) return draw();
    asked = next;
    begin().catch(fail);
  }

  onLoad(() => visible && draw());
  reviews.onSent((undone) => {
    if (!undone || !visible) return;
    move(-1);
    const row = rows[place];
    if (row) get(`/tracks/${row.id}`).then((track) => ((row.review = track.review), draw()), fail);
  });
  /** @type {Record<string, () => void>} */
  const byNumber = {};
  for (let i = 0; i < 10; i++)
    byNumber[(i + 1) % 10] = () => {
      if (keyOf(i)) choose(choices()[i]);
    };
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
    w: writeSome,
    "?": showKeys,
  });
  return { node, show, hide: () => (visible = false) };
}
