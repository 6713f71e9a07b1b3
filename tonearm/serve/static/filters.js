// The controls above the list, the chips of what they are set to, and the words for each.
import { button, el } from "./dom.js";
import { all, nameOf, onLoad } from "./genres.js";

/** @typedef {import("./address.js").Values} Values */
/** @typedef {string[][]} Options pairs of a value and its words; the empty value is no filter */

const TYPING_MS = 200; // who types quickly asks once

/** @type {Options} */
const CONFIDENCE = [
  ["", "Any"],
  ["0.9-1", "90 % or more"],
  ["0.7-0.9", "70 to 90 %"],
  ["0.5-0.7", "50 to 70 %"],
  ["0-0.5", "Below 50 %"],
];
const TAGS = [
  ["", "Any"],
  ["none", "Missing"],
  ["disagree", "Disagrees with the sound"],
  ["person", "By a person"],
  ["tonearm", "By Tonearm"],
];
const SAID = [
  ["", "Any"],
  ["none", "Not reviewed"],
  ["some", "Reviewed"],
  ["accept", "Accepted"],
  ["change", "Changed"],
  ["reject", "Rejected"],
  ["unwritten", "Not written yet"],
];
const FILES = [
  ["", "Any"],
  ["failed", "Could not be read"],
  ["damaged", "Damaged"],
  ["copy", "Copies"],
];
const NAMES = ["text", "genre", "confidence", "tag", "review", "state", "artist", "album"];

/**
 * What `/tracks` understands, of the values of an address.
 *
 * @param {Values} values
 * @returns {Record<string, any>}
 */
export function toQuery(values) {
  const { text, genre, review, state, artist, album } = values;
  const some = { text, genre, review, state, artist };
  /** @type {Record<string, any>} */
  const wanted = Object.fromEntries(Object.entries(some).filter(([, value]) => value));
  const [low, high] = (values.confidence ?? "").split("-");
  if (low && Number(low) > 0) wanted.min_confidence = Number(low);
  if (high && Number(high) < 1) wanted.max_confidence = Number(high);
  if (album) wanted.album = Number(album);
  if (values.tag === "disagree") wanted.disagree = true;
  else if (values.tag) wanted.tag = values.tag;
  return wanted;
}

/**
 * The filters of an address, without its sorting.
 *
 * @param {Values} values
 * @returns {Values}
 */
export const filtersOf = (values) =>
  Object.fromEntries(Object.entries(values).filter(([name]) => NAMES.includes(name)));

/**
 * The controls, and chips of what they are set to.
 *
 * @param {{onchange: (values: Values, typing: boolean) => void, onleave: () => void}} how `typing`
 *   is true for each letter of a search, which is no step of the browser's history; `onleave` is
 *   called when a key leaves the search for what it found
 */
export function makeFilters({ onchange, onleave }) {
  /** @type {Values} */
  let values = {};
  /** @type {Record<string, HTMLSelectElement | HTMLInputElement>} */
  const controls = {};
  /** @param {string} name @param {string} label @param {Options} options */
  const select = (name, label, options) => {
    const choices = options.map(([value, text]) => el("option", { value }, text));
    const control = el("select", { onchange: () => set(name, control.value) }, ...choices);
    controls[name] = control;
    return el("label", { class: "field" }, el("span", {}, label), control);
  };
  const text = el("input", { type: "search", placeholder: "Title, artist, folder" });
  controls.text = text;
  let timer = 0;
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(search, TYPING_MS);
  });
  const search = () => set("text", text.value.trim(), true);
  text.addEventListener("keydown", (event) => {
    // The first Escape empties the field, which browsers do themselves.
    const leaves =
      event.key === "Escape" ? !text.value : ["Enter", "ArrowDown"].includes(event.key);
    if (!leaves || event.isComposing) return;
    event.preventDefault();
    clearTimeout(timer);
    if (text.value.trim() !== (values.text ?? "")) search();
    onleave();
  });
  /** @returns {Options} */
  const genres = () => [["", "Any"], ...all().map((row) => [row.genre, row.name])];
  // Where there is little room the others wait behind this, so that the tracks are in sight.
  const unfold = () => fold.setAttribute("aria-expanded", String(node.classList.toggle("open")));
  const fold = button("Filters", unfold, { class: "fold", "aria-expanded": "false" });
  const form = el(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter tracks",
      onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
    },
    el("label", { class: "field wide" }, el("span", {}, "Search"), text),
    fold,
    select("genre", "By sound", genres()),
    select("confidence", "Confidence", CONFIDENCE),
    select("tag", "Genre tag", TAGS),
    select("review", "Review", SAID),
    select("state", "Files", FILES),
  );
  onLoad(() => {
    const options = genres().map(([value, name]) => el("option", { value }, name));
    controls.genre.replaceChildren(...options);
    controls.genre.value = values.genre ?? "";
  });
  const chips = el("ul", { class: "chips", "aria-label": "Filters" });
  const node = el("div", { class: "filtering" }, form, chips);

  /** @param {string} name @param {string} value @param {boolean} [typing] */
  function set(name, value, typing = false) {
    values = { ...values, [name]: value };
    if (!value) delete values[name];
    show(values);
    onchange(values, typing);
  }

  /** "Rejected" for review=reject. @param {string} name @param {string} value */
  function words(name, value) {
    if (name === "genre") return nameOf(value);
    if (name === "text") return `“${value}”`;
    if (name === "album") return "One album";
    /** @type {Record<string, Options>} */
    const options = { confidence: CONFIDENCE, tag: TAGS, review: SAID, state: FILES };
    return (options[name] ?? []).find(([other]) => other === value)?.[1] ?? value;
  }

  /** @param {Values} now what the address says */
  function show(now) {
    values = filtersOf(now);
    for (const [name, control] of Object.entries(controls)) {
      const value = values[name] ?? "";
      // What is being typed is not taken from under the cursor.
      if (control.value !== value && control !== document.activeElement) control.value = value;
      control.classList.toggle("set", Boolean(value));
    }
    const set_ = Object.entries(values);
    chips.hidden = !set_.length;
    chips.replaceChildren(
      ...set_.map(([name, value]) => {
        const label = { "aria-label": `Remove filter ${words(name, value)}`, class: "chip" };
        return el(
          "li",
          {},
          button(`${words(name, value)} ×`, () => set(name, ""), label),
        );
      }),
      set_.length > 1 ? el("li", {}, button("Clear", clear, { class: "chip" })) : "",
    );
  }

  function clear() {
    show({});
    onchange({}, false);
  }

  /** Text that was just typed must not call this view back from the one that was gone to. */
  const leave = () => clearTimeout(timer);

  return { node, show, leave, focus: () => text.focus() };
}
