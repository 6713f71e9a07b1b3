// Files out of a drop, folders and all.

/**
 * All entries of a folder. A reader gives at most a hundred at a time, and none at the end.
 *
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<FileSystemEntry[]>}
 */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

/**
 * The files of an entry, in the order of their names; hidden ones are nobody's music.
 *
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    const file = /** @type {FileSystemFileEntry} */ (entry);
    return [await new Promise((resolve, reject) => file.file(resolve, reject))];
  }
  const folder = /** @type {FileSystemDirectoryEntry} */ (entry);
  const entries = (await entriesOf(folder)).sort((a, b) => a.name.localeCompare(b.name));
  return (await Promise.all(entries.map(filesOf))).flat();
}

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<{files: File[], folders: boolean}>} `folders`: whether any was among them
 */
async function dropped(transfer) {
  // Before anything is waited for: the browser empties a transfer at the end of its event.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  if (!entries.length) return { files: [...transfer.files], folders: false };
  const folders = entries.some((entry) => entry.isDirectory);
  return { files: (await Promise.all(entries.map(filesOf))).flat(), folders };
}

const NO_SOUND =
  /\.(jpe?g|png|gif|webp|pdf|txt|nfo|log|cue|m3u8?|pls|xml|json|html?|db|ini|zip|sfv|md5)$/i;

/**
 * Of a folder, what may be sound; a file chosen by itself is always tried.
 *
 * @param {File[]} files
 * @returns {File[]}
 */
export const sounds = (files) =>
  files.filter((file) => !NO_SOUND.test(file.name) && !file.name.startsWith("."));

/**
 * Take drops anywhere on the page.
 *
 * @param {(files: File[]) => void} take
 * @param {(over: boolean) => void} hover called when files come over the page, and when they leave
 * @returns {void}
 */
export function onDrop(take, hover) {
  // Each element that is crossed is entered before the one around it is left.
  let depth = 0;
  const carries = (/** @type {DragEvent} */ event) =>
    [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (/** @type {number} */ change) => (/** @type {DragEvent} */ event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = Math.max(0, depth + change);
    hover(depth > 0);
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  // Unless it is refused here, the browser opens the file in place of the page.
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer || !carries(event)) return;
    event.preventDefault();
    depth = 0;
    hover(false);
    const { files, folders } = await dropped(event.dataTransfer);
    take(folders ? sounds(files) : files);
  });
}
