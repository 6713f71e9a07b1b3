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
 * @property {?string} genre by sound; null when unknown
 * @property {?string} nearest
 * @property {?number} confidence
 * @property {?string} second
 * @property {Record<string, number>} probabilities
 * @property {Record<string, number>} styles most probable first
 * @property {?number} duration_s
 * @property {?{verdict: string, genre: ?string}} review
 * @property {?string} warning
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

/** An answer that is not a success; status 0 where there was none. */
export class Problem extends Error {
  constructor(values) {
    super(values.detail || values.title || "the server did not answer");
    this.kind = values.kind || "";
    this.status = values.status || 0;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: SILENT });
  }
  if (response.ok) return response.json();
  const values = await response.json().catch(() => ({ title: response.statusText }));
  throw new Problem({ status: response.status, ...values });
}

/** @param {string} path @param {{signal?: AbortSignal}} [options] */
export const get = (path, { signal } = {}) => ask(path, { signal });
export const send = (path, values = undefined, method = "POST") =>
  ask(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: values === undefined ? undefined : JSON.stringify(values),
  });

/** @param {Record<string, any>} values empty ones are left out */
export const query = (values) =>
  new URLSearchParams(
    Object.entries(values).filter(([, value]) => value || value === 0),
  ).toString();

/**
 * Keep a file in the library: {path, kept}.
 *
 * @param {File} file
 * @param {number} folder which of those that `/scan` names
 * @returns {Promise<{path: string, kept: boolean}>}
 */
export const keep = (file, folder) =>
  ask(`/library/files?${query({ name: file.name, folder })}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });

export const audioOf = (id) => `${BASE}/tracks/${id}/audio`;

/** A piece of music to try. @param {string} name @returns {Promise<File>} */
export async function exampleFile(name) {
  const answer = await fetch(`${BASE}/examples/${encodeURIComponent(name)}`);
  return new File([await answer.blob()], name);
}
export const eventsUrl = `${BASE}/events`;

/**
 * Analyse a file. Reports {sent}, {progress}, {answer}, {picture} as they come.
 * XMLHttpRequest, since fetch cannot say how much of an upload is sent.
 *
 * @param {File} file
 * @param {{report: (values: any) => void, signal: AbortSignal, options: string}} how
 * @returns {Promise<void>}
 */
export function predict(file, { report, signal, options }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name || "recording");
    let read = 0;
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
