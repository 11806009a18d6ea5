// Requests to the server. A refusal is an error with the server's sentence; being told to come back later is none: the request
// is made again until it is taken, or until it is aborted.

const RETRY_SECONDS = 5; // where the server does not say
const BUSY = "The server is busy.";
const SILENT = "The server does not answer; look whether headsup serve is still running.";

// `waits` is told the sentence of a server that wants to be asked later.
export async function ask(method, path, { body, signal, waits = () => {} } = {}) {
  for (;;) {
    const reply = await fetch(path, { method, body, signal }).catch((error) => {
      throw error.name === "AbortError" ? error : Object.assign(new Error(SILENT), { silent: true });
    });
    const told = await reply.json().catch(() => ({ error: BUSY })); // too many connections are refused without JSON
    if (reply.ok) return told;
    if (reply.status !== 503) throw Object.assign(new Error(told.error), { status: reply.status });
    const seconds = Number(reply.headers.get("Retry-After")) || RETRY_SECONDS;
    waits(`${told.error} Trying again every ${seconds} seconds.`);
    await pause(seconds * 1000, signal);
  }
}

export function sendFile(method, path, file, options) {
  return ask(method, `${path}?name=${encodeURIComponent(file.name)}`, { ...options, body: file });
}

// Deletes a job, which also stops it; what is gone already may be.
export function forget(path) {
  fetch(path, { method: "DELETE" }).catch(() => {});
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
