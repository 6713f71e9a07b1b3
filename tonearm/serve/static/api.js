// Everything that is asked of the server.

export class Problem extends Error {
  constructor(values) {
    super(values.detail || values.title || "the server did not answer");
    this.kind = values.kind || "";
    this.status = values.status || 0;
  }
}

async function answerOf(response) {
  if (response.ok) return response.json();
  const values = await response.json().catch(() => ({ title: response.statusText }));
  throw new Problem({ status: response.status, ...values });
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "Tonearm does not answer: is `tonearm serve` still running?" });
  }
  return answerOf(response);
}

/** @param {string} path @param {{signal?: AbortSignal}} [options] */
export const get = (path, { signal } = {}) => ask(path, { signal });
export const send = (path, values, method = "POST") =>
  ask(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: values === undefined ? undefined : JSON.stringify(values),
  });

export const query = (values) =>
  new URLSearchParams(
    Object.entries(values).filter(
      ([, v]) => v !== "" && v !== null && v !== undefined && v !== false,
    ),
  ).toString();

/**
 * Analyse a file. Reports {sent}, {progress}, {answer}, {picture} as they come.
 * XMLHttpRequest, since fetch cannot say how much of an upload is sent.
 */
export function predict(file, { report, signal }) {
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
    request.open("POST", "/api/predict?timeline=true&draw=true");
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
    request.onerror = () =>
      reject(new Problem({ detail: "Tonearm does not answer: is `tonearm serve` still running?" }));
    request.onabort = () => reject(new Problem({ detail: "stopped" }));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
