// Dialogs: another genre, a question, some of many, the keys.
import { el, button } from "./dom.js";
import { labels, namePattern, swatch } from "./genres.js";

export function open(title, properties, ...children) {
  const id = `dialog-${title.replace(/\W+/g, "-").toLowerCase()}`;
  const dialog = el(
    "dialog",
    { "aria-labelledby": id, ...properties },
    el("h2", { id }, title),
    ...children,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask for a genre; gives its name inside, or as it was typed, or null. */
export function askGenre(nearest) {
  return new Promise((resolve) => {
    const choose = (genre) => (resolve(genre), dialog.close());
    const choices = labels().map((row, i) => {
      const key = i < 9 ? String(i + 1) : "0";
      const choice = button("", () => choose(row.genre), {
        class: "choice",
        "data-key": key,
        "aria-keyshortcuts": key,
      });
      choice.append(swatch(row.genre), el("span", {}, row.name), el("kbd", {}, key));
      return choice;
    });
    const other = el("input", {
      maxlength: 100,
      pattern: namePattern(),
      placeholder: "Another genre",
      "aria-label": "Another genre",
    });
    const form = el(
      "form",
      {
        class: "line",
        onsubmit: (event) => (
          event.preventDefault(),
          other.value.trim() && choose(other.value.trim())
        ),
      },
      other,
      el("button", {}, "Use it"),
    );
    const dialog = open(
      "It is",
      { class: "genres" },
      el("div", { class: "choices" }, ...choices),
      form,
      button("Cancel", () => dialog.close()),
    );
    dialog.addEventListener("close", () => resolve(null));
    dialog.addEventListener("keydown", (event) => {
      if (event.target === other) return;
      const chosen = choices.find((choice) => choice.dataset.key === event.key);
      if (chosen) chosen.click();
      // A letter begins another genre: it goes where the focus is then.
      else if (/^\p{L}$/u.test(event.key) && !event.ctrlKey && !event.metaKey) other.focus();
    });
    (choices.find((_, i) => labels()[i].genre === nearest) ?? choices[0]).focus();
  });
}

/**
 * Ask for one of some buttons; gives its name, or null.
 *
 * @param {string} title
 * @param {any[]} content
 * @param {{name: string, text: string, main?: boolean}[]} answers
 * @returns {Promise<?string>}
 */
export function ask(title, content, answers) {
  return new Promise((resolve) => {
    const buttons = answers.map(({ name, text, main }) =>
      button(text, () => (resolve(name), dialog.close()), { class: main ? "main" : "" }),
    );
    const cancel = button("Cancel", () => dialog.close());
    const line = el("div", { class: "line" }, ...buttons, cancel);
    const dialog = open(title, {}, ...content, line);
    dialog.addEventListener("close", () => resolve(null));
    buttons[0].focus();
  });
}

/**
 * Check boxes, each with its text; gives the names of those that are checked, or null.
 *
 * @param {string} title
 * @param {Record<string, string>} choices
 * @param {string[]} checked
 * @returns {Promise<?string[]>}
 */
export async function askSome(title, choices, checked) {
  const boxes = Object.entries(choices).map(([name, text]) => {
    const box = el("input", { type: "checkbox", value: name });
    box.checked = checked.includes(name);
    return [box, el("label", { class: "check" }, box, el("span", {}, text))];
  });
  const list = el("div", { class: "checks" }, ...boxes.map(([, label]) => label));
  const answer = await ask(title, [list], [{ name: "yes", text: "Show these", main: true }]);
  return answer && boxes.filter(([box]) => box.checked).map(([box]) => box.value);
}

const KEYS = [
  ["Space", "play or pause"],
  ["A", "accept the genre by sound"],
  ["C", "change it to another genre"],
  ["R", "reject the genre without naming another"],
  ["U", "forget the review"],
  ["Z", "undo the last review, or the last batch of reviews"],
  ["N or ↓", "next track"],
  ["P or ↑", "previous track"],
  ["X", "select; a review then applies to all selected tracks"],
  ["Shift+↓", "select several"],
  ["Ctrl+A", "select all shown tracks"],
  ["W", "show what would be written"],
  ["1 to 9", "in Review: choose that genre"],
  ["/", "search"],
  ["?", "show these keys"],
];

export function showKeys() {
  const rows = KEYS.map(([key, text]) =>
    el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, text)),
  );
  const dialog = open(
    "Keys",
    {},
    el("table", { class: "keys" }, el("tbody", {}, ...rows)),
    button("Close", () => dialog.close()),
  );
}
