// Elements, texts and small formats. Text stays text: nothing here makes markup of a string.

const TOLD_MS = 10_000;
const ACTION_MS = 60_000;

/**
 * @typedef {Node | string | number | false | null | undefined} Child empty ones are left out
 */

/**
 * An element with attributes (class, aria-*, data-*, role), listeners (onclick) and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] an attribute that is null or false is left out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if ((value ?? false) === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    // Attributes, not properties: the page's rules (CSP) forbid `style` as either.
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat())
    if (child || child === 0) node.append(child instanceof Node ? child : String(child));
  return node;
}

/**
 * A button that is no submit button: in a form, a plain one would send it.
 *
 * @param {string} text
 * @param {(event: Event) => any} onclick
 * @param {Record<string, any>} [properties] as of `el`
 * @returns {HTMLButtonElement}
 */
export function button(text, onclick, properties = {}) {
  return el("button", { type: "button", ...properties, onclick }, text);
}

/**
 * A table that scrolls sideways by itself where it is wider than its place.
 *
 * @param {string} label what it holds
 * @param {string[]} titles of its columns
 * @param {HTMLElement[]} rows
 * @param {{numbers?: string[], className?: string}} [how] which columns hold numbers
 * @returns {HTMLElement}
 */
export function scrollTable(label, titles, rows, { numbers = [], className = "" } = {}) {
  const heads = titles.map((text) =>
    el("th", { scope: "col", class: numbers.includes(text) ? "length" : "" }, text),
  );
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el(
      "table",
      { class: className },
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...rows),
    ),
  );
}

/**
 * An element of index.html, which is there.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * The drawing context of a canvas; it is null only for a canvas that is used otherwise too.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export const contextOf = (canvas) =>
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/** @type {string[]} */
let told = [];

/**
 * Tell screen readers; what is told in the same moment is read together.
 *
 * @param {?string} text
 */
export function say(text) {
  const place = byId("said");
  if (!told.length)
    requestAnimationFrame(() => {
      place.textContent = told.map((one) => one.replace(/\.$/, "")).join(". ");
      told = [];
    });
  // Emptied first, for a frame: the same words twice would not be read a second time.
  place.textContent = "";
  told.push(text ?? "");
}

/**
 * A message that stays until it is closed; one that only tells goes after ten seconds, one with an
 * action after a minute, since by then it lies over something else.
 *
 * @param {string} text
 * @param {{action?: ?{text: string, run: () => void}, bad?: boolean}} [options] `action` is a
 *   button of the message
 * @returns {() => void} closes it
 */
export function toast(text, { action = null, bad = false } = {}) {
  const close = () => note.remove();
  const note = el("div", { class: bad ? "toast bad" : "toast" }, el("span", {}, text));
  if (action) note.append(button(action.text, () => (close(), action.run())));
  note.append(button("×", close, { "aria-label": "Close message", class: "plain" }));
  const place = byId("toasts");
  place.append(note);
  while (place.children.length > 4) place.firstElementChild?.remove();
  say(text);
  if (!bad) setTimeout(close, action ? ACTION_MS : TOLD_MS);
  return close;
}

/**
 * What was thrown, as an error with its words.
 *
 * @param {unknown} thrown
 * @returns {Error}
 */
export const asError = (thrown) => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/**
 * Say what went wrong; what a person stopped, or the page itself, went as it should.
 *
 * @param {unknown} thrown
 * @returns {void}
 */
export function fail(thrown) {
  const error = asError(thrown);
  if (error.name !== "AbortError") toast(error.message, { bad: true });
}

/**
 * "3:07" or "1:02:07".
 *
 * @param {number} seconds
 * @returns {string}
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/**
 * "94 %"; null, of what was never classified, is 0.
 *
 * @param {?number} fraction
 * @returns {string}
 */
export const percent = (fraction) => `${Math.round(100 * (fraction ?? 0))} %`;

/**
 * "10,000", in the language of the page, whatever that of the browser is.
 *
 * @param {number} n
 * @returns {string}
 */
export const number = (n) => n.toLocaleString("en");

/**
 * "1 track", "2,000 tracks".
 *
 * @param {number} n
 * @param {string} word
 * @param {string} [many]
 * @returns {string}
 */
export const count = (n, word, many = `${word}s`) => `${number(n)} ${n === 1 ? word : many}`;

/**
 * A bar of a fraction; plain boxes, since a thousand meters cost a table its smoothness.
 *
 * @param {number} fraction
 * @param {string} [className]
 * @returns {HTMLElement}
 */
export function bar(fraction, className = "bar-of") {
  const inner = el("span");
  inner.style.setProperty("width", `${100 * fraction}%`);
  return el("span", { class: className, "aria-hidden": "true" }, inner);
}
