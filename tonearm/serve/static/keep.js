// "Keep in library": dropped files are copied into a folder that is scanned, and then scanned.
import { Problem, get, keep } from "./api.js";
import { ask } from "./dialogs.js";
import { asError, count, el, number, toast } from "./dom.js";
import { runJob } from "./jobs.js";

/**
 * Ask where to, copy, and scan; gives the files that are in the library now.
 *
 * @param {File[]} files
 * @returns {Promise<File[]>}
 */
export async function keepFiles(files) {
  const { folders } = await get("/scan");
  if (!folders.length) {
    toast("There is no library folder yet: start the page with `tonearm serve ~/Music`.");
    return [];
  }
  const folder = await askFolder(files, folders);
  if (folder === null) return [];
  /** @type {File[]} */
  const done = [];
  let there = 0;
  for (const file of files) {
    try {
      const { kept } = await keep(file, folder);
      if (!kept) there += 1;
      done.push(file);
    } catch (error) {
      toast(`${file.name}: ${asError(error).message}`, { bad: true });
      // Nobody answers: the rest would fail alike.
      if (!(error instanceof Problem) || !error.status) break;
    }
  }
  if (!done.length) return done;
  const kept = done.length - there;
  if (kept) await runJob("/scan");
  toast(inWords(kept, there));
  return done;
}

/** @param {number} kept files @param {number} there those that the library had */
function inWords(kept, there) {
  const copied = kept ? `${count(kept, "file")} copied into the library` : "Nothing copied";
  if (!there) return `${copied}.`;
  return `${copied}; ${number(there)} ${there === 1 ? "was" : "were"} in the library already.`;
}

/**
 * Ask which folder, even where there is one alone: nothing is copied without a word.
 *
 * @param {File[]} files
 * @param {string[]} folders
 * @returns {Promise<?number>} the number of a folder
 */
async function askFolder(files, folders) {
  const some = count(files.length, "file");
  const words =
    `${some} will be copied into a folder named Tonearm and scanned, except sounds that the ` +
    "library has already.";
  const answers = folders.map((folder, i) => ({
    name: String(i),
    text: `Keep in ${folder}`,
    main: i === 0,
  }));
  const answer = await ask("Keep in library", [el("p", {}, words)], answers);
  return answer === null ? null : Number(answer);
}
