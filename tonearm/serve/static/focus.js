// The focus of the keyboard, when what had it is gone: a dialog whose button was drawn again behind
// it, a button that vanishes by being pressed. Browsers would begin again at the top of the page.

const PASSING = "dialog, .toast"; // after these, the focus goes back to where it was before

/** Whether it may have the focus; hidden by a style sheet alone, nothing ever loses it. */
const isUsable = (/** @type {Element} */ node) =>
  node.isConnected && !node.matches(":disabled") && !node.closest("[hidden]");

const nameOf = (/** @type {Element} */ node) => node.ariaLabel ?? node.textContent;

/**
 * The same button or link, made again by a view that was drawn again.
 *
 * @param {Element} gone
 * @param {Element[]} around what it was in, the nearest first
 */
function twinOf(gone, around) {
  if (gone.isConnected) return null;
  const near = around.find(isUsable);
  const alike = [...(near?.querySelectorAll(gone.localName) ?? [])];
  return alike.find((node) => nameOf(node) === nameOf(gone) && isUsable(node)) ?? null;
}

/** @param {HTMLElement} node */
function give(node) {
  if (node.tabIndex < 0 && !node.hasAttribute("tabindex")) {
    node.tabIndex = -1;
    node.addEventListener("blur", () => node.removeAttribute("tabindex"), { once: true });
  }
  node.focus({ preventScroll: true });
}

/**
 * From now on, give the focus to what is nearest to where it was, whenever it would be lost.
 *
 * @returns {void}
 */
export function keepFocus() {
  /** @type {HTMLElement[]} what had the focus last, and what that is in, the nearest first */
  let path = [];
  const isLost = () => {
    const { activeElement: active } = document;
    return !active || active === document.body || !isUsable(active);
  };

  document.addEventListener("focusin", ({ target }) => {
    let node = /** @type {?HTMLElement} */ (target);
    if (!node || node.closest(PASSING)) return;
    path = [];
    for (; node && node !== document.body; node = node.parentElement) path.push(node);
  });
  // Who clicks on nothing takes the focus away on purpose: what had it is still there afterwards.
  document.addEventListener("focusout", ({ target }) =>
    queueMicrotask(() => {
      if (target === path[0] && isUsable(path[0]) && document.activeElement === document.body)
        path = [];
    }),
  );

  function restore() {
    const [last, ...around] = path;
    if (!last || document.querySelector("dialog[open]") || !isLost()) return;
    const next = twinOf(last, around) ?? path.find(isUsable);
    if (next) give(/** @type {HTMLElement} */ (next));
  }
  new MutationObserver(restore).observe(document.body, {
    childList: true,
    subtree: true,
    attributeFilter: ["hidden", "disabled"],
  });
}
