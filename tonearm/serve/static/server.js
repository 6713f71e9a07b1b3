// The server's one stream of events: its jobs, and whether it is there at all.
import { eventsUrl } from "./api.js";
import { el } from "./dom.js";

const RETRY_MS = 1_500;
const watchers = new Set();
const returns = new Set();
let startId = null;
let [online, jobs] = [true, []];

/** Call back with all jobs, at once and at each change. */
export function watchJobs(callback) {
  watchers.add(callback);
  callback(jobs);
}

/** Call back when the server is there again; whether it was started again meanwhile. */
export const onReturn = (callback) => returns.add(callback);
export const isOnline = () => online;

/** Connect, and say in `place` when the server is gone. */
export function connect(place) {
  const source = new EventSource(eventsUrl);
  source.addEventListener("hello", (event) => {
    const { id } = JSON.parse(event.data);
    const restarted = startId !== null && id !== startId;
    const back = !online || restarted;
    startId = id;
    setOnline(true, place);
    if (back) for (const callback of returns) callback(restarted);
  });
  source.addEventListener("jobs", (event) => {
    jobs = JSON.parse(event.data).jobs;
    for (const callback of watchers) callback(jobs);
  });
  const lost = () => {
    source.close();
    // What ran is over: a bar that stands still would say otherwise.
    jobs = jobs.map((job) => (job.state === "running" ? { ...job, state: "stopped" } : job));
    for (const callback of watchers) callback(jobs);
    setOnline(false, place);
    setTimeout(() => connect(place), RETRY_MS);
  };
  source.addEventListener("bye", lost);
  source.onerror = lost;
}

function setOnline(value, place) {
  if (online === value) return;
  online = value;
  document.body.classList.toggle("offline", !online);
  place.replaceChildren();
  if (!online)
    place.append(
      el("strong", {}, "Tonearm has stopped."),
      el("span", {}, "This page goes on when it runs again; reviews are kept until then."),
      el("code", {}, "tonearm serve"),
    );
}
