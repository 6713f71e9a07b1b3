// Keys of a view: they work wherever the focus is, but in fields, buttons and dialogs.

const FIELDS = "input:not([type=range]), select, textarea";

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
    if (!run) return;
    event.preventDefault();
    run();
  });
}
