// Writing: what would change, by which policy, and what a person's own words would lose.
import { send } from "./api.js";
import { open } from "./dialogs.js";
import { button, count, el, fail, number, scrollTable } from "./dom.js";
import { runJob } from "./jobs.js";

/** @typedef {import("./api.js").Job} Job */
/**
 * A change that some files have in common.
 *
 * @typedef {object} Group
 * @property {string[]} old genres now
 * @property {string[]} new genres afterwards
 * @property {number} count files
 * @property {boolean} replaces whether a person's genre would go
 */
/**
 * What `/tags/plan` answers.
 *
 * @typedef {object} Plan
 * @property {Record<string, number>} counts files that each policy would change
 * @property {number} reviewed files of the selection that a person gave a genre
 * @property {number} replaced files that would lose a person's genre
 * @property {Group[]} groups
 * @property {{id: number, name: string, title: ?string, artist: ?string, old: string[],
 *   new: string[]}[]} changes the first 500
 */
/** @typedef {{policy: string, groups?: {old: string[], new: string[]}[]}} Chosen */

const EXAMPLES = 2; // files of a group that are named
/** @type {Record<string, string>} as of `tonearm tag --policy` */
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
 * @returns {Promise<?Job>} at its end; null when a person thinks better of it
 */
export async function writeGenres(selection, scope) {
  const chosen = await choose(selection, scope);
  return chosen && runJob("/tags/write", { ...selection, ...chosen });
}

/**
 * The dialog.
 *
 * @param {object} selection
 * @param {string} scope
 * @returns {Promise<?Chosen>} without groups where all of them shall be written
 */
function choose(selection, scope) {
  return new Promise((resolve) => {
    let policy = "missing";
    /** @type {Group[]} what the policy would change */
    let groups = [];
    /** @type {boolean[]} which of them shall be */
    let checked = [];
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
      el(
        "div",
        { class: "checks", role: "radiogroup", "aria-label": "Existing genres" },
        ...radios,
      ),
      body,
      el(
        "p",
        { class: "quiet" },
        "Only the genre changes in a file, and it can be undone. " +
          "A file that cannot be written is skipped, and named with the reason.",
      ),
      el(
        "div",
        { class: "line" },
        write,
        button("Cancel", () => dialog.close()),
      ),
    );
    dialog.addEventListener("close", () => resolve(null));

    /** Show what a policy would do. @param {string} name */
    async function load(name) {
      policy = name;
      write.disabled = true;
      /** @type {Plan} */
      let plan;
      try {
        plan = await send("/tags/plan", { ...selection, policy: name });
      } catch (error) {
        dialog.close();
        fail(error);
        return;
      }
      if (policy !== name) return; // another was chosen before this one's answer came
      /** @type {NodeListOf<HTMLElement>} */
      const places = dialog.querySelectorAll("[data-policy]");
      for (const place of places)
        place.textContent = count(plan.counts[place.dataset.policy ?? ""], "file");
      groups = plan.groups;
      checked = groups.map(() => true);
      body.replaceChildren(...(groups.length ? table(plan) : nothing(plan)));
      sum();
    }

    /** Why there is nothing: most people have reviewed nothing yet. @param {Plan} plan */
    function nothing({ counts, reviewed }) {
      if (!reviewed) {
        const first = "Accept or change tracks first: only what you reviewed is written.";
        return [el("p", {}, `Nothing to write: none of these tracks is reviewed. ${first}`)];
      }
      const kept = counts.replace;
      const words = kept
        ? `Nothing to write: a person's genre is already in ${count(kept, "reviewed file")}.`
        : "Nothing to write: every accepted genre is in its file.";
      return [el("p", {}, words)];
    }

    /** The changes, each with a box, and how much of a person's would go. @param {Plan} plan */
    function table(plan) {
      const rows = groups.map((group, i) => {
        const box = el("input", { type: "checkbox", "aria-label": label(group) });
        box.checked = true;
        box.addEventListener("change", () => {
          checked[i] = box.checked;
          sum();
        });
        return el(
          "tr",
          {},
          el("td", {}, box),
          el("td", { class: group.replaces ? "lost" : "old" }, namesOf(group.old)),
          el(
            "td",
            { class: "new" },
            el("span", { "aria-hidden": "true" }, "→ "),
            namesOf(group.new),
          ),
          el("td", { class: "length" }, number(group.count)),
          el("td", { class: "quiet example" }, examples(plan, group)),
        );
      });
      const heads = ["Write", "Genre now", "Genre afterwards", "Files", "For example"];
      const lost = `${count(plan.replaced, "file")} would lose a person's genre.`;
      return [
        scrollTable("Changes", heads, rows, { numbers: ["Files"] }),
        plan.replaced ? el("p", { class: "warning" }, lost) : "",
      ];
    }

    const namesOf = (/** @type {string[]} */ names) => names.join(", ") || "no genre";
    const label = (/** @type {Group} */ group) => `${namesOf(group.old)} to ${namesOf(group.new)}`;
    /** @param {string[]} a @param {string[]} b */
    const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

    /** Some files of a group, as far as they are among those that came. */
    function examples(/** @type {Plan} */ plan, /** @type {Group} */ group) {
      return plan.changes
        .filter((change) => same(change.old, group.old) && same(change.new, group.new))
        .slice(0, EXAMPLES)
        .map((change) => [change.artist, change.title || change.name].filter(Boolean).join(" – "))
        .join("; ");
    }

    const chosen = () => groups.filter((_, i) => checked[i]);

    function sum() {
      const files = chosen().reduce((n, group) => n + group.count, 0);
      write.textContent = files ? `Write ${count(files, "file")}` : "Nothing to write";
      write.disabled = !files;
    }

    function done() {
      const all = checked.every(Boolean);
      const some = chosen().map(({ old, new: then }) => ({ old, new: then }));
      resolve({ policy, ...(all ? {} : { groups: some }) });
      dialog.close();
    }
    load(policy);
  });
}
