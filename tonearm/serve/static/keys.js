// Keys of a view: they work wherever the focus is, but in fields, buttons and dialogs.

const FIELDS = "input:not([type=range]), select, textarea";

/**
 * @param {() => boolean} isActive
 * @param {Record<string, () => void>} keys by `event.key` in small letters; "ctrl+a" with Ctrl
 */
export function bindKeys(isActive, keys) {
  document.addEventListener("keydown", (event) => {
    if (!isActive() || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches(FIELDS) || event.altKey) return;
    if (target.matches("button, a, [role=slider]") && [" ", "Enter"].includes(event.key)) return;
    const ctrl = event.ctrlKey || event.metaKey ? "ctrl+" : "";
    const run = keys[ctrl + event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  });
}
