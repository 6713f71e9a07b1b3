// The scan: its button, its progress, its end.
import { get, send } from "./api.js";
import { el, button, count, toast } from "./dom.js";

/** "Scanned: 4 analysed, 2 unchanged, 1 could not be read." */
function summary(state) {
  const parts = ["analysed", "recognised", "unchanged"].map((key) => `${state[key]} ${key}`);
  if (state.failures.length) parts.push(`${state.failures.length} could not be read`);
  return `${state.stopped ? "Stopped" : "Scanned"}: ${parts.join(", ")}.`;
}

export function makeScan({ onend }) {
  const start = button("Scan", begin);
  const stop = button("Stop", () => send("/api/scan", undefined, "DELETE").catch(bad), {
    hidden: true,
  });
  const progress = el("progress", { max: 1, hidden: true, "aria-label": "Scan" });
  const words = el("span", { class: "quiet" });
  const node = el("div", { class: "scan" }, start, progress, words, stop);
  let [events, folders] = [null, []];

  const bad = (error) => toast(error.message, { bad: true });

  async function begin() {
    try {
      await send("/api/scan");
      follow();
    } catch (error) {
      bad(error);
    }
  }

  function follow() {
    events?.close();
    events = new EventSource("/api/scan/events");
    events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
    events.addEventListener("end", (event) => {
      events.close();
      end(JSON.parse(event.data));
    });
    show({ running: true, looking: true });
  }

  function show(state) {
    start.hidden = state.running;
    stop.hidden = progress.hidden = !state.running;
    const analysing = state.running && !state.looking && state.to_do;
    if (analysing) progress.value = state.done / state.to_do;
    else progress.removeAttribute("value");
    if (!state.running) words.textContent = "";
    else
      words.textContent = analysing
        ? `${state.done.toLocaleString("en")} of ${count(state.to_do, "file")}`
        : state.found
          ? `found ${count(state.found, "file")}`
          : "looking";
  }

  function end(state) {
    show({ running: false });
    if (state.error) toast(state.error, { bad: true });
    else toast(summary(state));
    onend();
  }

  async function refresh() {
    const state = await get("/api/scan");
    folders = state.folders;
    start.disabled = !folders.length;
    start.title = folders.length ? folders.join("\n") : "start with `tonearm serve FOLDER`";
    if (state.running && !events) follow();
    return folders;
  }
  return { node, refresh };
}
