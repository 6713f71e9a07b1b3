// Which view is shown; the two are made once and kept.
import { load } from "./genres.js";
import { el } from "./dom.js";
import { makeListen } from "./listen.js";
import { makeLibrary } from "./library.js";

const main = document.getElementById("main");
const makers = { listen: makeListen, library: makeLibrary };
const titles = { listen: "Listen", library: "Library" };
const made = {};

function show() {
  const name = location.hash.slice(1) in makers ? location.hash.slice(1) : "listen";
  made[name] ??= makers[name]();
  for (const [other, view] of Object.entries(made)) {
    view.node.hidden = other !== name;
    if (!view.node.isConnected) main.append(view.node);
    if (other !== name) view.hide?.();
  }
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("nav a"))) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${titles[name]} · Tonearm`;
  made[name].show?.();
}

try {
  await load();
  addEventListener("hashchange", () => location.hash !== "#main" && show());
  show();
} catch (error) {
  main.append(el("p", { class: "fault", role: "alert" }, error.message));
}
