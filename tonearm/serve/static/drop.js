// Files out of a drop, folders and all.

async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const entries = (await entriesOf(entry)).sort((a, b) => a.name.localeCompare(b.name));
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: [...transfer.files], folders: false };
  const folders = entries.some((entry) => entry.isDirectory);
  return { files: (await Promise.all(entries.map(filesOf))).flat(), folders };
}

const NO_SOUND =
  /\.(jpe?g|png|gif|webp|pdf|txt|nfo|log|cue|m3u8?|pls|xml|json|html?|db|ini|zip|sfv|md5)$/i;

/** Of a folder, what may be sound; a file chosen by itself is always tried. */
export const sounds = (files) =>
  files.filter((file) => !NO_SOUND.test(file.name) && !file.name.startsWith("."));

/** Take drops anywhere on the page; calls back when something hovers. */
export function onDrop(take, hover) {
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (change) => (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = Math.max(0, depth + change);
    hover(depth > 0);
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    hover(false);
    const { files, folders } = await dropped(event.dataTransfer);
    take(folders ? sounds(files) : files);
  });
}
