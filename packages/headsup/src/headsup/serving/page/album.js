// The photographs of the page, in their order, and the one that is looked at.
//
// A photograph is {file, url, state, words, error, offer, path, width, height, scale, faces, box, order, result}:
//   url      what browsers show of it
//   state    sending, ready, refused, queued, waiting, working, done or failed
//   words    what is said of the state
//   error    why it cannot be restored; offer: what a button says that tries again with force
//   path     the job that holds it and was not started; none after that
//   faces    boxes in it, the largest first; null as long as they are not known
//   box      what the field says of the face that references are for
//   order    {path, options, references, abort} while it is restored
//   result   {path, told} of what was made of it

import { ask, forget, sendFile } from "./server.js";
import { bytesInWords } from "./words.js";

export const photographs = [];
export let chosen = null;
const listeners = [];
let sending = Promise.resolve(); // one file after the other

export function onChange(listener) { listeners.push(listener); }

export function changed() { for (const listener of listeners) listener(); }

export function choose(photograph) {
  chosen = photograph;
  changed();
}

export function isActive({ state }) { return ["queued", "waiting", "working"].includes(state); }

// Takes files, and chooses the first of them that is a photograph. What is none stays in the list, with the reason.
export function addPhotographs(files) {
  const taken = files.map((file) => (
    { file, url: URL.createObjectURL(file), state: "sending", words: "sending", error: "", offer: "", box: "", faces: null }
  ));
  photographs.push(...taken);
  changed();
  let hasChosen = false;
  for (const photograph of taken) {
    sending = sending.then(() => send(photograph)).then(() => {
      if (hasChosen || photograph.state === "refused" || !photographs.includes(photograph)) return;
      hasChosen = true;
      choose(photograph);
    });
  }
}

async function send(photograph) {
  if (!photographs.includes(photograph)) return;
  try {
    await openJob(photograph, { waits: (sentence) => { photograph.words = sentence; changed(); } });
    photograph.words = `${photograph.width} x ${photograph.height}, ${bytesInWords(photograph.file.size)}`;
    await makeVisible(photograph);
    photograph.state = "ready";
  } catch (error) {
    refuse(photograph, error.message);
  }
  if (photographs.includes(photograph)) changed();
  else if (photograph.path) forget(photograph.path);
}

export function refuse(photograph, sentence) {
  Object.assign(photograph, { state: "refused", words: sentence, error: sentence });
  if (photograph.path) forget(photograph.path);
  photograph.path = null;
}

// A job that holds a photograph and is not started. One that was opened before may have been deleted for others.
export async function openJob(photograph, options) {
  if (photograph.path) {
    const { state } = await ask("GET", photograph.path).catch(() => ({}));
    if (state === "open") return photograph.path;
  }
  const path = `jobs/${(await ask("POST", "jobs", options)).id}`;
  try {
    Object.assign(photograph, await sendFile("PUT", `${path}/photo`, photograph.file, options));
  } catch (error) {
    forget(path);
    throw error;
  }
  return photograph.path = path;
}

// TIFF, say, is shown by no browser, but the server makes something of it that is.
async function makeVisible(photograph) {
  const image = new Image();
  image.src = photograph.url;
  try {
    await image.decode();
  } catch {
    const reply = await fetch(`${photograph.path}/photo`);
    if (!reply.ok) throw new Error((await reply.json()).error);
    URL.revokeObjectURL(photograph.url);
    photograph.url = URL.createObjectURL(await reply.blob());
  }
}

export function remove(photograph) {
  photograph.order?.abort.abort();
  for (const path of [photograph.path, photograph.order?.path, photograph.result?.path]) if (path) forget(path);
  URL.revokeObjectURL(photograph.url);
  const place = photographs.indexOf(photograph);
  photographs.splice(place, 1);
  if (chosen === photograph) chosen = photographs[Math.min(place, photographs.length - 1)] ?? null;
  changed();
}
