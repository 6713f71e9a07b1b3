// Dialogs: another genre, the difference before writing, the keys.
import { el, button, count } from "./dom.js";
import { labels, namePattern, swatch } from "./genres.js";

function open(title, properties, ...children) {
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
      choices.find((choice) => choice.dataset.key === event.key)?.click();
    });
    (choices.find((_, i) => labels()[i].genre === nearest) ?? choices[0]).focus();
  });
}

/** Show what writing would change; true if it shall be done. */
export function askWrite(changes) {
  return new Promise((resolve) => {
    const rows = changes
      .slice(0, 500)
      .map((change) =>
        el(
          "tr",
          {},
          el("td", {}, [change.artist, change.title || change.name].filter(Boolean).join(" – ")),
          el("td", { class: "old" }, change.old.join(", ") || "no genre"),
          el(
            "td",
            { class: "new" },
            el("span", { "aria-hidden": "true" }, "→ "),
            change.new.join(", "),
          ),
        ),
      );
    const more =
      changes.length > rows.length
        ? el("p", { class: "quiet" }, `and ${count(changes.length - rows.length, "more file")}`)
        : null;
    const table = el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["Track", "Genre now", "Genre then"].map((text) => el("th", { scope: "col" }, text)),
        ),
      ),
      el("tbody", {}, ...rows),
    );
    const write = button(
      `Write ${count(changes.length, "file")}`,
      () => (resolve(true), dialog.close()),
      { class: "main" },
    );
    const dialog = open(
      "What would change",
      { class: "difference" },
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Changes" }, table),
      more,
      el("p", { class: "quiet" }, "Nothing but the genre changes in a file, and it can be undone."),
      el(
        "div",
        { class: "line" },
        write,
        button("Cancel", () => dialog.close()),
      ),
    );
    dialog.addEventListener("close", () => resolve(false));
    write.focus();
  });
}

/** Ask before acting on many. */
export function askMany(text, yes) {
  return new Promise((resolve) => {
    const go = button(yes, () => (resolve(true), dialog.close()), { class: "main" });
    const dialog = open(
      "All of them?",
      {},
      el("p", {}, text),
      el(
        "div",
        { class: "line" },
        go,
        button("Cancel", () => dialog.close()),
      ),
    );
    dialog.addEventListener("close", () => resolve(false));
    go.focus();
  });
}

const KEYS = [
  ["Space", "play or pause"],
  ["A", "accept the genre by sound"],
  ["C", "change: it is another genre"],
  ["R", "reject, without saying what it is"],
  ["U", "forget the review"],
  ["N or ↓", "next track"],
  ["P or ↑", "track before"],
  ["X", "select; acts then count for all selected"],
  ["Shift+↓", "select several"],
  ["W", "show what would be written"],
  ["/", "search"],
  ["?", "these keys"],
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
