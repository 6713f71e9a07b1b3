// Dialogs: another genre, a question, some of many, the keys.
import { button, el } from "./dom.js";
import { choices, keyOf, nameFault, nameOf, namePattern, swatch } from "./genres.js";
import { areOn, switchKeys } from "./keys.js";

/** @typedef {import("./dom.js").Child} Child */

/**
 * A dialog. Escape closes it, and so does the way to another view, by a link or the back button.
 *
 * @param {string} title
 * @param {Record<string, any>} properties as of `el`
 * @param {...(Child | Child[])} children
 * @returns {HTMLDialogElement} open
 */
export function open(title, properties, ...children) {
  const id = `dialog-${title.replace(/\W+/g, "-").toLowerCase()}`;
  const dialog = el(
    "dialog",
    { "aria-labelledby": id, ...properties },
    el("h2", { id }, title),
    ...children,
  );
  // Its question is about what was shown behind it.
  const close = () => dialog.close();
  addEventListener("hashchange", close);
  dialog.addEventListener("close", () => {
    removeEventListener("hashchange", close);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  // What has the focus may be at its end: it is read from the top all the same.
  dialog.scrollTop = 0;
  return dialog;
}

/**
 * Ask for a genre: by a click, by a number key, or by typing how its name begins.
 *
 * @param {?string} nearest which has the focus at first
 * @returns {Promise<?string>} its name inside, or as it was typed, or null
 */
export function askGenre(nearest) {
  return new Promise((resolve) => {
    const choose = (/** @type {string} */ genre) => {
      resolve(genre);
      dialog.close();
    };
    const found = choices().map((genre, i) => ({ genre, node: genreButton(genre, i, choose) }));
    const typed = el("input", {
      maxlength: 100,
      pattern: namePattern(),
      placeholder: "Type any genre",
      "aria-label": "Type any genre",
      oninput: narrow,
    });
    const use = el("button", { class: "main", disabled: true }, "Use it");
    const asTyped = button("", () => form.reportValidity() && choose(typed.value.trim()), {
      hidden: true,
    });
    const form = el("form", { class: "line typed", onsubmit }, typed, use, asTyped);

    /** Those whose name begins with what is typed; one that is typed in full alone. */
    function fitting() {
      const text = typed.value.trim().toLowerCase();
      const names = found.map(({ genre }) => ({ genre, name: nameOf(genre).toLowerCase() }));
      const full = names.filter(({ name }) => name === text);
      const some = full.length ? full : names.filter(({ name }) => name.startsWith(text));
      return text ? some.map(({ genre }) => genre) : [];
    }

    /** Enter takes the first that fits; "Electro" is a genre, too, not only half of one. */
    function narrow() {
      const [text, fit] = [typed.value.trim(), fitting()];
      // The browser's own words are in its language, and do not say what fits.
      typed.setCustomValidity(typed.validity.patternMismatch ? nameFault() : "");
      for (const { genre, node } of found)
        node.classList.toggle("faint", Boolean(text) && !fit.includes(genre));
      use.disabled = !text;
      use.textContent = fit.length ? `Use ${nameOf(fit[0])}` : "Use it";
      asTyped.hidden = !fit.length || nameOf(fit[0]).toLowerCase() === text.toLowerCase();
      asTyped.textContent = `Use “${text}”`;
    }

    /** @param {Event} event */
    function onsubmit(event) {
      event.preventDefault();
      const genre = fitting()[0] ?? typed.value.trim();
      if (genre) choose(genre);
    }

    const dialog = open(
      "It is",
      { class: "genres" },
      el("div", { class: "choices" }, ...found.map(({ node }) => node)),
      form,
      el(
        "div",
        { class: "line" },
        button("Cancel", () => dialog.close()),
      ),
    );
    dialog.addEventListener("close", () => resolve(null));
    dialog.addEventListener("keydown", (event) => {
      if (event.target === typed) return;
      const chosen = found.find(({ node }) => node.dataset.key === event.key);
      if (chosen) choose(chosen.genre);
      // A letter begins a name: it goes where the focus is then.
      else if (/^\p{L}$/u.test(event.key) && !event.ctrlKey && !event.metaKey) typed.focus();
    });
    (found.find(({ genre }) => genre === nearest) ?? found[0]).node.focus();
  });
}

/**
 * A button that chooses a genre, with its key where it has one.
 *
 * @param {string} genre
 * @param {number} i its place among the choices
 * @param {(genre: string) => void} choose
 * @param {Record<string, any>} [properties] as of `el`
 * @returns {HTMLButtonElement}
 */
export function genreButton(genre, i, choose, properties = {}) {
  const key = keyOf(i);
  const node = button("", () => choose(genre), {
    class: "choice",
    "data-key": key,
    "aria-keyshortcuts": key,
    ...properties,
  });
  node.append(swatch(genre), el("span", {}, nameOf(genre)), key ? el("kbd", {}, key) : "");
  return node;
}

/**
 * Ask for one of some buttons; gives its name, or null.
 *
 * @param {string} title
 * @param {Child[]} content
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
  const boxes = Object.keys(choices).map((name) => {
    const box = el("input", { type: "checkbox", value: name });
    box.checked = checked.includes(name);
    return box;
  });
  const labels = boxes.map((box) =>
    el("label", { class: "check" }, box, el("span", {}, choices[box.value])),
  );
  const list = el("div", { class: "checks" }, ...labels);
  const answer = await ask(title, [list], [{ name: "yes", text: "Show these", main: true }]);
  return answer ? boxes.filter((box) => box.checked).map((box) => box.value) : null;
}

const KEYS = [
  ["Space", "play or pause"],
  ["A", "accept the genre by sound"],
  ["C", "change it to another genre"],
  ["R", "reject the genre without naming another"],
  ["U", "clear the review"],
  ["Z", "undo the last review, or the last batch of reviews"],
  ["N or ↓", "next track; in Review N or →"],
  ["P or ↑", "previous track; in Review P or ←"],
  ["X", "select; a review then applies to all selected tracks"],
  ["Shift+↓", "select several"],
  ["Ctrl+A", "select all shown tracks"],
  ["W", "show what would be written"],
  ["1 to 9, 0", "in Review, and where you change a genre: choose the genre with that number"],
  ["C, letters, Enter", "choose any genre by the beginning of its name"],
  ["/", "in List: search"],
  ["?", "show these keys"],
];

/**
 * Show the keys, and whether letters are any.
 *
 * @returns {void}
 */
export function showKeys() {
  const rows = KEYS.map(([key, text]) =>
    el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, text)),
  );
  const box = el("input", { type: "checkbox", onchange: () => switchKeys(box.checked) });
  box.checked = areOn();
  const dialog = open(
    "Keys",
    {},
    // At the top, it has the focus at first: the table begins at its beginning.
    el("label", { class: "check" }, box, el("span", {}, "Letters, digits and signs are keys")),
    el("table", { class: "keys" }, el("tbody", {}, ...rows)),
    el(
      "div",
      { class: "line" },
      button("Close", () => dialog.close()),
    ),
  );
}
