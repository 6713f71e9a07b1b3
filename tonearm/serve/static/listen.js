// The view for single files: drop, choose or record; one card each.
import { exampleFile, get } from "./api.js";
import { save, toCsv } from "./csv.js";
import { button, count, el, fail, number, say } from "./dom.js";
import { makeCard } from "./card.js";
import { onDrop, sounds } from "./drop.js";
import { badge, kindOf } from "./genres.js";
import { keepFiles } from "./keep.js";
import { makeMicrophone } from "./microphone.js";
import * as player from "./player.js";
import { inShort } from "./words.js";

/** @typedef {import("./card.js").Card} Card */

const AT_ONCE = 3; // sent; the server has as many workers as cores
const MANY = 5; // more files than that are a table
/** @type {import("./csv.js").Columns<Card>} */
const CSV = {
  file: (card) => card.name,
  title: (card) => card.about?.title,
  artist: (card) => card.about?.artist,
  genre: (card) => (card.answer && kindOf(card.answer)) ?? (card.failed ? "" : "unknown"),
  nearest: (card) => card.answer?.nearest,
  confidence: (card) => card.answer?.confidence,
};
const ORDERS = {
  "": "As added",
  name: "By name",
  genre: "By genre",
  confidence: "Least confident first",
};

/**
 * The view for single files.
 *
 * @returns {import("./address.js").View}
 */
export function makeListen() {
  /** @type {Card[]} in the order in which they were added */
  const cards = [];
  /** @type {Card[]} */
  const waiting = [];
  let busy = 0;

  /**
   * A button and the field that it presses: fields for files cannot be styled.
   *
   * @param {string} label
   * @param {Record<string, any>} properties
   * @param {(files: File[]) => void} take
   */
  const choose = (label, properties, take) => {
    const input = el("input", {
      type: "file",
      class: "unseen",
      tabindex: -1,
      "aria-hidden": "true",
      ...properties,
      // Emptied, or the same file could not be chosen a second time.
      onchange: () => (take([...(input.files ?? [])]), (input.value = "")),
    });
    return [button(label, () => input.click()), input];
  };
  const files = choose("Choose files", { multiple: true, id: "files" }, add);
  const folder = choose("Choose a folder", { webkitdirectory: true, id: "folder" }, (found) =>
    add(sounds(found)),
  );
  const examples = el("div", { class: "ways examples" });
  const zone = el(
    "section",
    { class: "drop", "aria-label": "Add music" },
    el("p", { class: "big" }, "Drop songs or folders here"),
    el("div", { class: "ways" }, ...files, ...folder, makeMicrophone(add)),
    el(
      "p",
      { class: "quiet" },
      "Nothing leaves this machine. What you drop is analysed and not kept.",
    ),
    examples,
  );
  offer().catch(fail);

  /** Pieces to try, where there are some. */
  async function offer() {
    const names = (await get("/examples")).examples.slice(0, 3);
    if (names.length) examples.append(el("span", { class: "quiet" }, "Or try"));
    for (const name of names)
      examples.append(button(name, async () => add([await exampleFile(name)])));
  }

  function sort() {
    /** @type {Record<string, (card: Card) => string | number>} */
    const orders = {
      name: (card) => card.name.toLowerCase(),
      genre: (card) => (card.answer && kindOf(card.answer)) ?? "~", // unknown ones after all names
      confidence: (card) => card.answer?.confidence ?? 2, // and those without an answer last
    };
    const by = orders[order.value];
    const sorted = by
      ? cards.toSorted((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0))
      : cards;
    list.append(...sorted.map((card) => card.node));
  }

  function countGenres() {
    /** @type {Map<?string, number>} */
    const genres = new Map();
    for (const { answer } of cards)
      if (answer) genres.set(kindOf(answer), (genres.get(kindOf(answer)) ?? 0) + 1);
    const rows = [...genres].sort((a, b) => b[1] - a[1]);
    tally.replaceChildren(
      ...rows.map(([genre, n]) => el("li", { class: "chip" }, badge(genre), ` ${number(n)}`)),
    );
  }
  const summary = el("p", { class: "summary" });
  const clear = button("Clear all", () => [...cards].forEach((card) => card.remove()), {
    hidden: true,
  });
  const tally = el("ul", { class: "chips", "aria-label": "Files of each genre" });
  const order = el(
    "select",
    { "aria-label": "Sort", onchange: sort, hidden: true },
    ...Object.entries(ORDERS).map(([value, text]) => el("option", { value }, text)),
  );
  const csv = button("Export CSV", () => save(toCsv(cards, CSV), "tonearm.csv"), { hidden: true });
  const keepAll = button(
    "Keep all",
    () => keepCards(cards.filter((card) => card.answer && !card.kept)).catch(fail),
    { class: "keep", hidden: true, "aria-label": "Keep all in library" },
  );
  const list = el("ul", { class: "cards", "aria-label": "Results" });
  const node = el(
    "div",
    { class: "listen" },
    el("h1", { class: "unseen" }, "Listen"),
    zone,
    el("div", { class: "bar" }, summary, order, csv, keepAll, clear),
    tally,
    list,
  );

  /** @param {File[]} found */
  function add(found) {
    const onkeep = (/** @type {Card} */ card) => keepCards([card]).catch(fail);
    const onanswer = (/** @type {Card} */ card) => (update(), tell(card));
    const made = found.map((file) => makeCard(file, { onremove: gone, onkeep, onanswer }));
    cards.push(...made);
    waiting.push(...made);
    list.append(...made.map((card) => card.node));
    if (!location.hash.startsWith("#listen")) location.hash = "#listen";
    update();
    // Below earlier ones they would be out of sight.
    if (cards.length > made.length) made[0].node.scrollIntoView({ block: "nearest" });
    work();
  }

  /** @param {Card[]} some */
  async function keepCards(some) {
    const kept = new Set(await keepFiles(some.map((card) => card.file)));
    for (const card of some) if (kept.has(card.file)) card.kept = true;
    update();
  }

  /** @param {Card} card */
  function gone(card) {
    cards.splice(cards.indexOf(card), 1);
    const at = waiting.indexOf(card);
    if (at >= 0) waiting.splice(at, 1);
    update();
  }

  /** Send what is waiting, a few at a time: the first answers come before the last is sent. */
  function work() {
    while (busy < AT_ONCE) {
      const card = waiting.shift();
      if (!card) return;
      busy += 1;
      card.analyse().finally(() => {
        busy -= 1;
        update();
        if (card.failed) tell(card);
        work();
      });
    }
  }

  function update() {
    node.classList.toggle("some", cards.length > 0);
    clear.hidden = cards.length < 2;
    const many = cards.length > MANY;
    node.classList.toggle("many", many);
    order.hidden = csv.hidden = tally.hidden = !many;
    if (many) countGenres();
    keepAll.hidden = cards.filter((card) => card.answer && !card.kept).length < 2;
    const failed = cards.filter((card) => card.failed).length;
    const analysed = cards.filter((card) => card.answer).length;
    const parts = cards.length ? [`${analysed} of ${count(cards.length, "file")} analysed`] : [];
    if (failed) parts.push(`${failed} could not be read`);
    summary.textContent = parts.join(", ");
  }

  /** What became of a file; of many, only when all are done. @param {Card} card */
  function tell(card) {
    if (!cards.includes(card)) return; // it was removed meanwhile
    const found = card.answer ? inShort(card.answer) : "could not be read";
    if (cards.length <= MANY) say(`${card.name}: ${found}`);
    if (cards.every((one) => one.answer || one.failed)) say(summary.textContent);
  }

  onDrop(add, (over) => document.body.classList.toggle("over", over));
  return { node, show: () => player.setShown(null) };
}
