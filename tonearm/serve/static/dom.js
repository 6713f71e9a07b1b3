// Elements, texts and small formats. Text stays text: nothing here makes markup of a string.

/**
 * An element with attributes (class, aria-*, data-*, role), listeners (onclick) and children.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...any} children
 * @returns {any} the element
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

/** @param {string} text @param {(event: Event) => void} onclick */
export function button(text, onclick, properties = {}) {
  return el("button", { type: "button", ...properties, onclick }, text);
}

/** Tell screen readers. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}

/**
 * A message that stays until it is closed, or ten seconds if nothing can be done about it.
 *
 * @param {string} text
 * @param {{action?: {text: string, run: () => void}, bad?: boolean}} [options]
 */
export function toast(text, { action = null, bad = false } = {}) {
  const close = () => note.remove();
  const note = el("div", { class: bad ? "toast bad" : "toast" }, el("span", {}, text));
  if (action) note.append(button(action.text, () => (close(), action.run())));
  note.append(button("×", close, { "aria-label": "Close message", class: "plain" }));
  const place = document.getElementById("toasts");
  place.append(note);
  while (place.children.length > 4) place.firstElementChild.remove();
  say(text);
  if (!action && !bad) setTimeout(close, 10_000);
  return close;
}

/** @param {Error} error */
export const fail = (error) => error.name !== "AbortError" && toast(error.message, { bad: true });

/** @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const percent = (fraction) => `${Math.round(100 * fraction)} %`;
export const number = (n) => n.toLocaleString("en");
export const count = (n, word, many = `${word}s`) => `${number(n)} ${n === 1 ? word : many}`;

/** A bar of a fraction; plain boxes, since a thousand meters cost a table its smoothness. */
export function bar(fraction, className = "bar-of") {
  const inner = el("span");
  inner.style.setProperty("width", `${100 * fraction}%`);
  return el("span", { class: className, "aria-hidden": "true" }, inner);
}
