// In place of the server of `tonearm serve`: the same answers for the same views, from this page
// itself. Nothing is sent anywhere; the page's own rules (CSP) would not let it.
import { decode } from "./analysis/decode.js";
import { readSettings } from "./analysis/model.js";
import { readTags } from "./analysis/tags.js";

const LARGEST_BYTES = 400e6; // a file of two hours becomes 1.3 GB of samples
const settings = readSettings();
/** @type {Set<(costs: {memory?: number, loaded?: number, first_s?: number}) => void>} */
const watchers = new Set();

/** An answer that is not a success. */
export class Problem extends Error {
  /** @param {{detail: string}} values */
  constructor({ detail }) {
    super(detail);
    this.kind = "";
    this.status = 0;
  }
}

/**
 * What the views ask of the server.
 *
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  const { genres, splitting, examples } = /** @type {any} */ (await settings);
  if (path === "/genres") return { genres, own: [], splitting };
  if (path === "/examples") return { examples };
  throw new Problem({ detail: `This page has no ${path}: it knows no library.` });
}

// What only the views of a library call; their modules are loaded with those of a card.
export const query = () => "";
export const audioOf = () => "";
export const eventsUrl = "";
export const send = get;
export const keep = () => get("/library/files");

/** A piece to try. @param {string} name */
export async function exampleFile(name) {
  const response = await fetch(new URL(`examples/${encodeURIComponent(name)}`, import.meta.url));
  return new File([await response.blob()], name);
}

/** Call back with what it took, at each change. @param {(costs: any) => void} watcher */
export const watchCosts = (watcher) => watchers.add(watcher);

/** @type {Map<number, (values: any) => void>} */
const waiting = new Map();
let numbers = 0;
/** @type {?Promise<Worker>} */
let starting = null;

/** The worker, once it listens. @returns {Promise<Worker>} */
function start() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("analysis/worker.js", import.meta.url), { type: "module" });
    worker.onerror = (event) =>
      reject(new Problem({ detail: event.message || "The analysis did not start." }));
    worker.onmessage = ({ data }) => {
      if (data.ready) resolve(worker);
      else waiting.get(data.id)?.(data);
    };
  });
}

/**
 * Analyse a file. Reports {quick}, {about}, {progress}, {picture}, {answer} as they come.
 *
 * @param {File} file
 * @param {{report: (values: any) => void, signal?: AbortSignal}} how
 * @returns {Promise<void>}
 */
export async function predict(file, { report, signal }) {
  const begun = performance.now();
  if (file.size > LARGEST_BYTES)
    throw new Problem({
      detail: "is too large for a browser. `tonearm predict` reads it in pieces.",
    });
  const { features, texture } = await settings;
  starting ??= start();
  const targets = [features, texture].flatMap((spec) => (spec ? spec.sample_rate_hz : []));
  const data = await file.arrayBuffer();
  report({ about: readTags(data) });
  const sound = await decode(data, targets);
  const worker = await starting;
  if (signal?.aborted) throw new Problem({ detail: "stopped" });
  const id = (numbers += 1);
  signal?.addEventListener("abort", () => worker.postMessage({ id, stop: true }));
  await new Promise((resolve, reject) => {
    waiting.set(id, (values) => {
      if (values.done) resolve(undefined);
      else if (values.failed) reject(new Problem({ detail: values.failed }));
      else pass(values);
    });
    worker.postMessage({ id, sound }, [sound.samples.buffer]);
  }).finally(() => waiting.delete(id));

  /** @param {any} values */
  function pass({ memory, loaded, ...values }) {
    if (memory) {
      const first_s = values.quick ? (performance.now() - begun) / 1_000 : undefined;
      for (const watcher of watchers) watcher({ memory, loaded, first_s });
    }
    for (const key of ["quick", "answer"])
      if (values[key])
        values[key] = { schema: 2, path: file.name, timeline: [], warnings: [], ...values[key] };
    report(values);
  }
}
