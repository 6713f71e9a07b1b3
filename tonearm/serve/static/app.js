// Which view is shown, by the address; each is made once and kept.
import * as address from "./address.js";
import { get } from "./api.js";
import { el, fail, toast } from "./dom.js";
import { load } from "./genres.js";
import { tellEnd } from "./ends.js";
import { makeJobs, runJob } from "./jobs.js";
import { makeList } from "./list.js";
import { makeListen } from "./listen.js";
import { makeMap } from "./map.js";
import { makeOverview } from "./overview.js";
import { makePlayer } from "./player.js";
import * as reviews from "./reviews.js";
import { makeReview } from "./review.js";
import { connect, onReturn } from "./server.js";

const main = document.getElementById("main");
const makers = {
  listen: makeListen,
  overview: () => makeOverview({ undoRun }),
  list: () => makeList({ onchange: () => changed(false) }),
  review: () => makeReview(),
  map: () => makeMap({ onchange: () => changed() }),
};
const titles = {
  listen: "Listen",
  overview: "Overview",
  list: "List",
  review: "Review",
  map: "Map",
};
const made = {};

function show() {
  const { view, values } = address.read();
  const name = view in makers ? view : "listen";
  if (view === "main") return;
  made[name] ??= makers[name]();
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
  document.title = `${titles[name]} · Tonearm`;
  made[name].show?.(values);
}

/** Numbers changed; rows too, unless only reviews did. */
function changed(rows = true) {
  made.overview?.refresh();
  if (rows) made.list?.reload();
}

async function undoRun(run) {
  await runJob("/tags/undo", run ? { run } : {}).catch(fail);
}

addEventListener("beforeunload", (event) => reviews.pending() && event.preventDefault());
onReturn(() => {
  toast("Tonearm runs again.");
  reviews.work();
  changed();
});

try {
  await load();
  const jobs = makeJobs({
    onend: async (job) => {
      tellEnd(job, { undoRun });
      if (job.kind === "adopt") await load().catch(fail);
      changed(job.kind !== "review");
    },
  });
  document.getElementById("foot").append(jobs.node, makePlayer());
  connect(document.getElementById("offline"));
  address.onChange(show);
  show();
  reviews.work();
  await get("/health");
} catch (error) {
  main.append(el("p", { class: "fault", role: "alert" }, error.message));
}
