// Writing: what would change, by which policy, and what a person's own words would lose.
import { send } from "./api.js";
import { open } from "./dialogs.js";
import { el, button, count, fail, number } from "./dom.js";
import { runJob } from "./jobs.js";

const POLICIES = {
  missing: "Only files without a genre",
  add: "Add to a person's genres",
  replace: "Replace a person's genres",
};

/**
 * Ask what to write of a selection ({}, {ids} or {filter}), and write it as a job.
 *
 * @param {object} selection
 * @param {string} scope what it is, in words
 * @returns {Promise<?import("./api.js").Job>} null when a person thinks better of it
 */
export async function writeGenres(selection, scope) {
  const chosen = await choose(selection, scope);
  return chosen && runJob("/tags/write", { ...selection, ...chosen });
}

/** The dialog; gives {policy, groups} or null. */
function choose(selection, scope) {
  return new Promise((resolve) => {
    let [policy, plan, checked, begun] = ["missing", null, [], false];
    const body = el("div", { class: "plan" });
    const write = button("Write", done, { class: "main", disabled: true });
    const radios = Object.entries(POLICIES).map(([name, text]) => {
      const radio = el("input", { type: "radio", name: "policy", value: name });
      radio.checked = name === policy;
      radio.addEventListener("change", () => load(name));
      const counted = el("span", { class: "quiet", "data-policy": name });
      return el("label", { class: "check" }, radio, el("span", {}, text), counted);
    });
    const dialog = open(
      "What would change",
      { class: "difference" },
      el("p", { class: "quiet" }, scope),
      el("div", { class: "checks", role: "radiogroup", "aria-label": "Policy" }, ...radios),
      body,
      el("p", { class: "quiet" }, "Only the genre changes in a file, and it can be undone."),
      el(
        "div",
        { class: "line" },
        write,
        button("Cancel", () => dialog.close()),
      ),
    );
    dialog.addEventListener("close", () => resolve(null));

    async function load(name) {
      policy = name;
      write.disabled = true;
      try {
        plan = await send("/tags/plan", { ...selection, policy });
      } catch (error) {
        dialog.close();
        fail(error);
        return;
      }
      for (const place of dialog.querySelectorAll("[data-policy]"))
        place.textContent = count(plan.counts[place.dataset.policy], "file");
      body.replaceChildren(...table());
      sum();
      // Once: who goes through the policies by arrow keys must not lose them.
      if (!begun) write.focus();
      begun = true;
    }

    function table() {
      if (!plan.groups.length) {
        const kept = plan.counts.replace;
        const words = kept
          ? `Nothing to write: ${count(kept, "reviewed file")} already have a person's genre.`
          : "Nothing to write: every accepted genre is in its file.";
        return [el("p", {}, words)];
      }
      checked = plan.groups.map(() => true);
      const rows = plan.groups.map((group, i) => {
        const box = el("input", { type: "checkbox", "aria-label": label(group) });
        box.checked = true;
        box.addEventListener("change", () => ((checked[i] = box.checked), sum()));
        return el(
          "tr",
          {},
          el("td", {}, box),
          el("td", { class: group.replaces ? "lost" : "old" }, genres(group.old)),
          el(
            "td",
            { class: "new" },
            el("span", { "aria-hidden": "true" }, "→ "),
            genres(group.new),
          ),
          el("td", { class: "length" }, number(group.count)),
          el("td", { class: "quiet example" }, examples(group)),
        );
      });
      const heads = ["Write", "Genre now", "Genre afterwards", "Files", "For example"];
      const titles = heads.map((text) => el("th", { scope: "col" }, text));
      const scroll = { class: "scroll", tabindex: 0, role: "region", "aria-label": "Changes" };
      return [
        el(
          "div",
          scroll,
          el("table", {}, el("thead", {}, el("tr", {}, ...titles)), el("tbody", {}, ...rows)),
        ),
        plan.replaced
          ? el(
              "p",
              { class: "warning" },
              `${count(plan.replaced, "file")} would lose a person's genre.`,
            )
          : null,
      ].filter(Boolean);
    }

    const genres = (names) => names.join(", ") || "no genre";
    const label = (group) => `${genres(group.old)} to ${genres(group.new)}`;
    const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

    function examples(group) {
      return plan.changes
        .filter((change) => same(change.old, group.old) && same(change.new, group.new))
        .slice(0, 2)
        .map((change) => [change.artist, change.title || change.name].filter(Boolean).join(" – "))
        .join("; ");
    }

    const groups = () => plan.groups.filter((_, i) => checked[i]);

    function sum() {
      const files = plan.groups.length ? groups().reduce((n, group) => n + group.count, 0) : 0;
      write.textContent = files ? `Write ${count(files, "file")}` : "Nothing to write";
      write.disabled = !files;
    }

    function done() {
      const all = checked.every(Boolean);
      const some = groups().map(({ old, new: then }) => ({ old, new: then }));
      resolve({ policy, ...(all ? {} : { groups: some }) });
      dialog.close();
    }
    load(policy);
  });
}
