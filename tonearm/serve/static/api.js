// Everything that is asked of the server.

const BASE = "/api/v1";
const SILENT = "Tonearm does not answer: is `tonearm serve` still running?";

/**
 * @typedef {object} Track
 * @property {number} id
 * @property {string} name
 * @property {string} path
 * @property {string} folder
 * @property {?string} title
 * @property {?string} artist
 * @property {?string} album
 * @property {string[]} genres the genre tag
 * @property {boolean} by_tonearm
 * @property {?string} genre by sound; null when unknown, or a mix
 * @property {?string} nearest
 * @property {?number} confidence
 * @property {?Record<string, number>} mix shares of its genres, where it changes between them
 * @property {?string} second the second most probable genre
 * @property {Record<string, number>} probabilities
 * @property {Record<string, number>} styles most probable first
 * @property {?number} duration_s
 * @property {?{verdict: string, genre: ?string}} review
 * @property {?string} warning
 * @property {?string} note "silent", "low-rate" or "short", where there was little to classify
 * @property {?{kind: string, message: string}} error
 */

/**
 * @typedef {object} Job
 * @property {number} id
 * @property {string} kind
 * @property {string} title
 * @property {"running"|"done"|"stopped"|"failed"} state
 * @property {number} done
 * @property {number} total
 * @property {?number} left_s
 * @property {string} message
 * @property {Record<string, any>} result
 */

/**
 * @typedef {object} Segment
 * @property {number} start_s
 * @property {number} end_s
 * @property {?string} genre null when unknown
 * @property {number} confidence
 */

/**
 * The genre of a file, as `tonearm predict --format jsonl` says it.
 *
 * @typedef {object} Prediction
 * @property {?string} genre null when unknown
 * @property {string} nearest
 * @property {number} confidence
 * @property {Record<string, number>} probabilities most probable first
 * @property {Record<string, number>} [styles]
 * @property {Record<string, number>} [tags] moods and instruments
 * @property {Record<string, number>} [mix] shares of its genres, where it changes between them
 * @property {number} duration_s
 * @property {Segment[]} timeline
 * @property {?string} [note] "silent", "low-rate" or "short", where there was little to classify
 * @property {string[]} [warnings]
 * @property {{kind: string, message: string}} [error]
 */

/**
 * What spoke for a genre and for the next one.
 *
 * @typedef {object} Reasons
 * @property {string} genre
 * @property {string} against the genre that came second
 * @property {{tag: string, amount: number}[]} tags below zero: for the second genre
 * @property {{start_s: number, end_s: number, amount: number}[]} windows
 * @property {{low_hz: number, high_hz: number, amount: number}[]} bands
 * @property {number[]} typical_s start and end of the most typical stretch
 */

/**
 * A spectrogram and a waveform, in base64.
 *
 * @typedef {object} Picture
 * @property {number} duration_s
 * @property {number} columns
 * @property {number} bands
 * @property {string} levels uint8 [columns, bands], low bands first
 * @property {string} peaks uint8 [columns], 255 for full scale
 */

/**
 * The tags of a dropped file.
 *
 * @typedef {object} About
 * @property {?string} [title]
 * @property {?string} [artist]
 * @property {string[]} [genres]
 * @property {?string} [cover] an address of a picture
 */

/**
 * An answer that is not a success. `status` is 0 where there was no answer, and `kind` is the
 * server's stable name of the fault.
 */
export class Problem extends Error {
  /** @param {{detail?: string, title?: string, kind?: string, status?: number}} values */
  constructor(values) {
    super(values.detail || values.title || "the server did not answer");
    this.kind = values.kind || "";
    this.status = values.status || 0;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<any>} the answer's JSON
 */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch (error) {
    // Who aborts a request knows of it; anything else means that nobody answers.
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new Problem({ detail: SILENT });
  }
  if (response.ok) return response.json();
  const values = await response.json().catch(() => ({ title: response.statusText }));
  throw new Problem({ status: response.status, ...values });
}

/**
 * Ask for something.
 *
 * @param {string} path below `/api/v1`
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>} the answer's JSON; throws a Problem
 */
export const get = (path, { signal } = {}) => ask(path, { signal });

/**
 * Have something done.
 *
 * @param {string} path below `/api/v1`
 * @param {object} [values] the body, as JSON
 * @param {string} [method]
 * @returns {Promise<any>} the answer's JSON; throws a Problem
 */
export const send = (path, values = undefined, method = "POST") =>
  ask(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: values === undefined ? undefined : JSON.stringify(values),
  });

/**
 * The part of an address behind its question mark.
 *
 * @param {Record<string, any>} values empty ones are left out
 * @returns {string}
 */
export const query = (values) =>
  new URLSearchParams(
    Object.entries(values).filter(([, value]) => value || value === 0),
  ).toString();

/**
 * Keep a file in the library.
 *
 * @param {File} file
 * @param {number} folder which of those that `/scan` names
 * @returns {Promise<{path: string, kept: boolean}>} where it is now, and whether it was new
 */
export const keep = (file, folder) =>
  ask(`/library/files?${query({ name: file.name, folder })}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });

/**
 * The address of a track's sound.
 *
 * @param {number} id
 * @returns {string}
 */
export const audioOf = (id) => `${BASE}/tracks/${id}/audio`;

/**
 * A piece of music to try.
 *
 * @param {string} name one of those that `/examples` names
 * @returns {Promise<File>}
 */
export async function exampleFile(name) {
  const answer = await fetch(`${BASE}/examples/${encodeURIComponent(name)}`);
  return new File([await answer.blob()], name);
}

/** The server's stream of events. */
export const eventsUrl = `${BASE}/events`;

/**
 * Analyse a file. Reports {sent}, {progress}, {about}, {quick}, {answer}, {picture} and {reasons}
 * as they come. By XMLHttpRequest, since fetch cannot say how much of an upload is sent.
 *
 * @param {File} file
 * @param {{report: (values: Record<string, any>) => void, signal: AbortSignal,
 *   options: string}} how `options` is the query of `/predict`
 * @returns {Promise<void>}
 */
export function predict(file, { report, signal, options }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name || "recording");
    let read = 0; // characters of the answer; the last line may still be on its way
    const lines = () => {
      const text = request.responseText;
      for (let end; (end = text.indexOf("\n", read)) >= 0; read = end + 1) {
        const values = JSON.parse(text.slice(read, end));
        if (values.problem) reject(new Problem({ detail: values.problem }));
        report(values);
      }
    };
    request.open("POST", `${BASE}/predict?${options}`);
    request.setRequestHeader("Accept", "application/x-ndjson");
    request.upload.onprogress = (event) =>
      event.lengthComputable && report({ sent: event.loaded / event.total });
    request.onprogress = () => request.status === 200 && lines();
    request.onload = () => {
      if (request.status === 200) {
        lines();
        resolve();
        return;
      }
      let values = { title: request.statusText, status: request.status };
      try {
        values = JSON.parse(request.responseText);
      } catch {
        // not JSON: the status has to do
      }
      reject(new Problem(values));
    };
    request.onerror = () => reject(new Problem({ detail: SILENT }));
    request.onabort = () => reject(new Problem({ detail: "stopped" }));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
