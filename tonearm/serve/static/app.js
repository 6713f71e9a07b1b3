// Which view is shown, by the address; each is made once and kept.
import * as address from "./address.js";
import { get } from "./api.js";
import { asError, byId, el, fail, toast } from "./dom.js";
import { tellEnd } from "./ends.js";
import { keepFocus } from "./focus.js";
import { load, loadOwn } from "./genres.js";
import { makeJobs, runJob } from "./jobs.js";
import { makeList } from "./list.js";
import { makeListen } from "./listen.js";
import { makeMap } from "./map.js";
import { makeOverview } from "./overview.js";
import { makePlayer } from "./player.js";
import * as reviews from "./reviews.js";
import { makeReview } from "./review.js";
import { connect, onReturn } from "./server.js";

/** @typedef {import("./address.js").View} View */

const main = byId("main");
/** @type {?ReturnType<typeof makeList>} */
let list = null;
/** @type {Record<string, {title: string, make: () => View}>} */
const views = {
  listen: { title: "Listen", make: makeListen },
  overview: { title: "Overview", make: () => makeOverview({ undoRun }) },
  list: { title: "List", make: () => (list = makeList({ onchange: () => changed(false) })) },
  review: { title: "Review", make: makeReview },
  map: { title: "Map", make: () => makeMap({ onchange: () => changed() }) },
};
/** @type {Record<string, View>} those that were shown already */
const made = {};

function show() {
  const { view, values } = address.read();
  const name = view in views ? view : "listen";
  if (view === "main") return; // "Skip to content" is a link within the view that is shown
  made[name] ??= views[name].make();
  for (const [other, shown] of Object.entries(made)) {
    shown.node.hidden = other !== name;
    if (!shown.node.isConnected) main.append(shown.node);
    if (other !== name) shown.hide?.();
  }
  for (const node of document.querySelectorAll("nav a")) {
    const link = /** @type {HTMLElement} */ (node);
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${views[name].title} · Tonearm`;
  made[name].show(values);
}

/** Numbers changed; rows too, unless only reviews did: the list shows these at once itself. */
function changed(rows = true) {
  made.overview?.refresh?.();
  if (rows) list?.reload();
}

/** @param {?number} run null for the latest that can be undone */
async function undoRun(run) {
  await runJob("/tags/undo", run ? { run } : {}).catch(fail);
}

// Reviews that are not sent yet are kept, but another browser would not see them.
addEventListener("beforeunload", (event) => reviews.pending() && event.preventDefault());
onReturn(() => {
  toast("Tonearm is running again.");
  reviews.work();
  changed();
});

keepFocus();
try {
  await load();
  const jobs = makeJobs({
    onend: async (job) => {
      tellEnd(job, { undoRun });
      if (job.kind === "adopt") await load().catch(fail);
      if (job.kind === "review") await loadOwn().catch(fail);
      changed(job.kind !== "review");
    },
  });
  byId("foot").append(jobs.node, makePlayer());
  connect(byId("offline"));
  address.onChange(show);
  show();
  reviews.work();
  await get("/health");
} catch (error) {
  main.append(el("p", { class: "fault", role: "alert" }, asError(error).message));
}
