// What the views of a library show before its first scan, where the server has nothing to answer.
import * as address from "./address.js";
import { get } from "./api.js";
import { el } from "./dom.js";

let scanned = false;

/**
 * An answer, or something else where there is no library yet.
 *
 * @template Answer
 * @template Other
 * @param {() => Promise<Answer>} ask the server
 * @param {Other} other
 * @returns {Promise<Answer | Other>}
 */
export async function ifScanned(ask, other) {
  // Asked until it is so, and never again.
  scanned ||= (await get("/health")).scanned;
  return scanned ? ask() : other;
}

/**
 * The way to the first scan.
 *
 * @returns {HTMLElement}
 */
export const toScan = () =>
  el("a", { href: address.href("overview") }, "Scan your music in Overview");
