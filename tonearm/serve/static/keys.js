// Keys of a view: they work wherever the focus is, but in fields, buttons and dialogs.

const FIELDS = "input:not([type=range]), select, textarea";
const STORE = "tonearm.keys";

/**
 * Whether letters, digits and signs are keys. Who speaks to a computer switches them off: a word
 * that is not understood is typed, and each of its letters would review a track.
 *
 * @returns {boolean} as it was chosen in this browser
 */
export const areOn = () => localStorage.getItem(STORE) !== "off";

/**
 * Switch them on or off.
 *
 * @param {boolean} on
 */
export const switchKeys = (on) => localStorage.setItem(STORE, on ? "on" : "off");

/**
 * Whether a key presses what has the focus; Space does nothing to a link, so it may play.
 *
 * @param {Element} target
 * @param {string} key
 */
const isItsOwn = (target, key) =>
  target.matches(
    key === " " ? "button, summary" : key === "Enter" ? "button, summary, a" : ":not(*)",
  );

/** Letters, digits and signs alone are what speech may type. @param {string} key */
const isOff = (key) => /^\S$/u.test(key) && !areOn();

/**
 * Let keys do something while a view is shown.
 *
 * @param {() => boolean} isActive whether the view is the one that is shown
 * @param {Record<string, () => any>} keys by `event.key` in small letters; "ctrl+a" with Ctrl
 * @returns {void}
 */
export function bindKeys(isActive, keys) {
  // On the document: what had the focus may be gone, and keys would be dead until a click.
  document.addEventListener("keydown", (event) => {
    if (!isActive() || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    // A dialog that was closed has the focus until the next frame.
    if ((target.matches(FIELDS) && !target.closest("dialog")) || event.altKey) return;
    if (isItsOwn(target, event.key)) return;
    const ctrl = event.ctrlKey || event.metaKey ? "ctrl+" : "";
    const run = keys[ctrl + event.key.toLowerCase()];
    if (!run || isOff(ctrl + event.key)) return;
    event.preventDefault();
    run();
  });
}
