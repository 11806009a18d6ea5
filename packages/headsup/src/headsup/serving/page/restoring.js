// Restoring photographs: each is sent with its references and started, one after the other; then the server is asked what
// became of them until all are done.

import { changed, isActive, openJob, photographs } from "./album.js";
import { refuseReference } from "./references.js";
import { ask, forget, pause, sendFile } from "./server.js";
import { countInWords, leftInWords, secondsInWords } from "./words.js";

const POLL_MILLISECONDS = 700;
let starting = Promise.resolve();
let polling = false;
let silence = ""; // what is said as long as the server does not answer

// What is to be restored: those that have not been; else the ones that failed, if the chosen one did; else the chosen one.
export function wanted(chosen) {
  const ready = photographs.filter(({ state }) => state === "ready");
  if (ready.length) return ready;
  if (chosen?.state === "failed") return photographs.filter(({ state }) => state === "failed");
  return chosen?.state === "done" ? [chosen] : [];
}

// `references` are {file, error}, `options` those of the server.
export function restore(photograph, options, references) {
  photograph.order = { options, references, abort: new AbortController() };
  Object.assign(photograph, { state: "queued", words: "to be sent", error: "", offer: "" });
  starting = starting.then(() => start(photograph, photograph.order));
  changed();
}

async function start(photograph, order) {
  if (photograph.order !== order) return; // stopped
  const say = (words) => {
    if (photograph.order !== order) return;
    photograph.words = words;
    changed();
  };
  const { signal } = order.abort;
  const sent = { signal, waits: say };
  try {
    say("sending");
    order.path = await openJob(photograph, sent);
    photograph.path = null;
    for (const reference of order.references.filter(({ error }) => !error)) {
      say(`sending ${reference.file.name}`);
      await sendReference(reference, order.path, sent);
    }
    await ask("POST", `${order.path}/start`, { ...sent, body: JSON.stringify(order.options) });
    signal.throwIfAborted();
    Object.assign(photograph, { state: "waiting", words: "waiting" });
    changed();
    poll();
  } catch (error) {
    if (photograph.order !== order) {
      if (order.path) forget(order.path);
    } else {
      fail(photograph, error.message);
    }
  }
}

// A file that is no picture leaves the others alone; it is left out, and its place in the list says why.
async function sendReference(reference, path, sent) {
  try {
    await sendFile("POST", `${path}/references`, reference.file, sent);
  } catch (error) {
    if (error.status !== 400 && error.status !== 413) throw error;
    refuseReference(reference, error.message);
  }
}

async function poll() {
  if (polling) return;
  polling = true;
  while (photographs.some(isStarted)) {
    for (const photograph of photographs.filter(isStarted)) await look(photograph, photograph.order);
    changed();
    await pause(POLL_MILLISECONDS);
  }
  polling = false;
}

function isStarted({ state }) { return state === "waiting" || state === "working"; }

async function look(photograph, order) {
  let told;
  try {
    told = await ask("GET", order.path);
    silence = "";
  } catch (error) {
    if (photograph.order !== order) return;
    if (error.silent) silence = `${error.message} Trying again.`; // a telephone may have slept
    else fail(photograph, error.message);
    return;
  }
  if (photograph.order !== order) return;
  if (told.state === "done") finish(photograph, told);
  else if (told.state === "failed") fail(photograph, told.error, told.offer);
  else follow(photograph, told);
}

function follow(photograph, told) {
  photograph.state = told.state;
  photograph.left = told.left;
  photograph.seconds = told.seconds;
  const left = told.left === null ? "" : `, ${leftInWords(told.left)}`;
  photograph.stage = told.stage;
  if (told.state === "working") photograph.words = `${told.stage}, ${secondsInWords(told.seconds)}${left}`;
  else photograph.words = told.before ? `${told.before} before it${left}` : `next in turn${left}`;
}

function finish(photograph, told) {
  const { path } = photograph.order;
  if (photograph.result) forget(photograph.result.path);
  const words = `done in ${secondsInWords(told.seconds)}`;
  Object.assign(photograph, { state: "done", words, result: { path, told }, order: null });
}

function fail(photograph, error, offer = "") {
  if (photograph.order?.path) forget(photograph.order.path);
  Object.assign(photograph, { state: "failed", words: error, error, offer, order: null });
  changed();
}

// Stops all, as if nobody had begun.
export function stop() {
  for (const photograph of photographs.filter(isActive)) {
    const { order } = photograph;
    Object.assign(photograph, { state: "ready", words: "stopped", order: null });
    order.abort.abort();
    if (order.path) forget(order.path);
  }
  changed();
}

// What is going on, as {words, stage, share}: `share` of the work is done, null if nobody knows; null if nothing goes on.
export function progress() {
  const active = photographs.filter(isActive);
  if (!active.length) return null;
  const current = active.find(({ state }) => state === "working") ?? active[0];
  const last = active.at(-1);
  const others = active.length > 1 ? `; ${countInWords(active.length - 1, "more waits", "more wait")}` : "";
  const total = active.length > 1 && last.state === "waiting" && last.left ? `, all ${leftInWords(last.left)}` : "";
  const known = current.state === "working" && current.left !== null;
  return {
    words: silence || `${current.file.name}: ${current.words}${others}${total}`,
    stage: silence || `${current.file.name}: ${current.state === "working" ? current.stage : current.state}`,
    share: known ? current.seconds / Math.max(current.seconds + current.left, 0.1) : null,
  };
}
