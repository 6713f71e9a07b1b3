// The address holds the view and its filters: "#list?genre=jazz". So reload, back and bookmarks
// give the same page.

/** @typedef {Record<string, string>} Values */
/**
 * A view of the page: made once, and kept while others are shown.
 *
 * @typedef {object} View
 * @property {HTMLElement} node
 * @property {(values: Values) => void} show called when it is shown, and when its address changes
 * @property {() => void} [hide]
 * @property {() => void} [refresh] called when numbers of the library changed
 */

/**
 * What the address says now.
 *
 * @returns {{view: string, values: Values}}
 */
export function read() {
  const [view, text = ""] = location.hash.slice(1).split("?");
  return { view, values: Object.fromEntries(new URLSearchParams(text)) };
}

/**
 * An address within the page; empty values are left out.
 *
 * @param {string} view
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
export function href(view, values = {}) {
  const some = Object.entries(values).filter(([, value]) => value || value === 0);
  const text = new URLSearchParams(some.map(([name, value]) => [name, String(value)])).toString();
  return text ? `#${view}?${text}` : `#${view}`;
}

/**
 * Show another address; `replace` adds no step to the browser's history, as while one types.
 *
 * @param {string} view
 * @param {Record<string, any>} [values]
 * @param {{replace?: boolean}} [options]
 * @returns {void}
 */
export function go(view, values = {}, { replace = false } = {}) {
  const address = href(view, values);
  if (address === location.hash) return;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  // Neither of the two is an event of the browser: only links and the back button are.
  dispatchEvent(new Event("address"));
}

/**
 * Call back when the address changes, by a link, the back button, or `go`.
 *
 * @param {() => void} callback
 * @returns {void}
 */
export function onChange(callback) {
  addEventListener("hashchange", callback);
  addEventListener("popstate", callback);
  addEventListener("address", callback);
}
