// The row of controls above the table.
import { el } from "./dom.js";
import { all } from "./genres.js";

const CONFIDENCE = [
  ["", "Any"],
  ["0.9-1", "90 % and more"],
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
  ["accept", "Accepted"],
  ["change", "Changed"],
  ["reject", "Rejected"],
];

/** Controls; `onchange(values)` gets what `/api/tracks` understands. */
export function makeFilters({ onchange }) {
  const select = (label, options) => {
    const control = el(
      "select",
      { onchange: report },
      ...options.map(([value, text]) => el("option", { value }, text)),
    );
    return [control, el("label", { class: "field" }, el("span", {}, label), control)];
  };
  const text = el("input", {
    type: "search",
    placeholder: "Title, artist, folder",
    oninput: () => later(),
  });
  const [genre, genreField] = select("By sound", [
    ["", "Any"],
    ...all().map((row) => [row.genre, row.name]),
  ]);
  const [confidence, confidenceField] = select("Confidence", CONFIDENCE);
  const [tag, tagField] = select("Genre tag", TAGS);
  const [said, saidField] = select("Review", SAID);
  const node = el(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter tracks",
      onsubmit: (event) => event.preventDefault(),
    },
    el("label", { class: "field wide" }, el("span", {}, "Search"), text),
    genreField,
    confidenceField,
    tagField,
    saidField,
  );
  let timer = 0;

  function later() {
    clearTimeout(timer);
    timer = setTimeout(report, 200);
  }

  function values() {
    const [low, high] = confidence.value ? confidence.value.split("-") : ["", ""];
    return {
      text: text.value.trim(),
      genre: genre.value,
      min_confidence: low,
      max_confidence: high,
      tag: tag.value === "disagree" ? "" : tag.value,
      disagree: tag.value === "disagree",
      review: said.value,
    };
  }

  function report() {
    clearTimeout(timer);
    onchange(values());
  }

  return { node, focus: () => text.focus() };
}
