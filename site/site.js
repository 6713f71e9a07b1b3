// The page: the view for single files of `tonearm serve`, and what it took.
import { watchCosts } from "./api.js";
import { loadedBytes } from "./analysis/loaded.js";
import { el } from "./dom.js";
import { keepFocus } from "./focus.js";
import { load } from "./genres.js";
import { makeListen } from "./listen.js";
import { makePlayer } from "./player.js";

const mega = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** Bytes, time and memory, in words. */
function makeCosts() {
  const node = el("p", { class: "costs quiet", role: "status" });
  /** @type {{memory?: number, loaded?: number, first_s?: number}} */
  const known = {};
  watchCosts((values) => {
    known.memory = Math.max(known.memory ?? 0, values.memory);
    known.loaded = values.loaded;
    known.first_s ??= values.first_s;
    const parts = [
      `Loaded once: ${mega(loadedBytes() + (known.loaded ?? 0))}`,
      `first answer after ${(known.first_s ?? 0).toFixed(1)} s`,
      `memory at most ${mega(known.memory)}`,
    ];
    node.textContent = `${parts.join(" · ")}.`;
  });
  return node;
}

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
keepFocus();
try {
  await load();
  main.append(makeListen().node, makeCosts());
  /** @type {HTMLElement} */ (document.getElementById("foot")).append(makePlayer());
} catch (error) {
  const text = /** @type {Error} */ (error).message;
  main.append(el("p", { class: "fault", role: "alert" }, text));
}
