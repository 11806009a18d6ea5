// The photograph that is looked at, its faces, numbered, and the one that the references are for. What is chosen is what
// stands in the field: four numbers, or nothing for all faces.

import { changed, chosen, onChange, openJob, refuse } from "./album.js";
import { ask } from "./server.js";
import { bytesInWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const WANTED = "Left, top, right and bottom of a face: four numbers in pixels of the photograph.";
let shown = null; // the photograph
let marking = false;
let compared = true; // whether a network on the server tells people apart

export function beginPreview(settings) {
  compared = settings.threshold !== null;
}

// The box in what the field of a photograph says, or null for all faces.
export function boxIn(words) {
  return words.trim() ? words.trim().split(/[\s,;]+/).map(Number) : null;
}

export function isBox(box) {
  return box.length === 4 && box.every(Number.isFinite) && box[0] < box[2] && box[1] < box[3];
}

function show() {
  $("chosen").hidden = !chosen?.width;
  $("choice").hidden = !chosen?.width || chosen.state === "refused";
  if (shown === chosen && $("preview").querySelector("img").src === (chosen?.url ?? "")) return;
  shown = chosen;
  const image = $("preview").querySelector("img");
  if (!shown) return image.removeAttribute("src");
  const { width, height, file, url } = shown;
  [image.src, image.alt] = [url, `Photograph ${file.name}`];
  $("preview").style.width = `min(100%, calc(50vh * ${width / height}))`;
  $("chosen").querySelector("figcaption").textContent =
    `${file.name}, ${width} x ${height} pixels, ${bytesInWords(file.size)}`;
  $("face-box").value = shown.box;
  mark(false);
  draw();
  if (!shown.faces) lookForFaces(shown);
}

async function lookForFaces(photograph) {
  if (photograph.isLookedAt) return;
  photograph.isLookedAt = true;
  try {
    photograph.faces = (await facesOf(photograph)).map((box) => box.map(Math.round));
  } catch (error) {
    photograph.faces = []; // one can still be marked
    if (photograph.state === "ready" && error.status === 400) refuse(photograph, error.message);
    changed();
  }
  if (shown === photograph) draw();
}

async function facesOf(photograph) {
  const path = photograph.order?.path ?? photograph.result?.path ?? await openJob(photograph);
  try {
    return (await ask("GET", `${path}/faces`)).faces;
  } catch (error) {
    if (error.status !== 404) throw error;
    // it was stopped or deleted in the meantime, and is sent again
    return (await ask("GET", `${await openJob(photograph)}/faces`)).faces;
  }
}

function choose(box) {
  $("face-box").value = box ? box.join(" ") : "";
  mark(false);
  draw();
}

function draw() {
  if (!shown) return;
  shown.box = $("face-box").value;
  const { faces } = shown;
  const box = boxIn(shown.box);
  const valid = !box || isBox(box);
  $("face-box").setCustomValidity(valid ? "" : WANTED);
  const same = (face) => box && face.every((edge, index) => edge === box[index]);
  const number = (faces ?? []).findIndex(same);
  const buttons = (faces ?? []).map((face, index) => faceButton(face, index, number));
  if (box && valid && number < 0) {
    const own = document.createElement("div");
    own.className = "box own";
    place(own, box);
    buttons.push(own);
  }
  const focused = [...$("boxes").children].indexOf(document.activeElement);
  $("boxes").replaceChildren(...buttons);
  if (focused >= 0) buttons[focused]?.focus();
  $("all-faces").hidden = !box;
  const words = valid ? wordsOf(faces, box, number) : WANTED;
  if ($("found").textContent !== words) $("found").textContent = words;
}

function wordsOf(faces, box, number) {
  if (marking) return "Drag from one corner of the face to the opposite one.";
  if (box) return `References are for ${number < 0 ? "the marked face" : `face ${number + 1}`} alone.`;
  if (!faces) return "Looking for faces.";
  if (!faces.length) return "No face was found. If you have references, mark the face that they are for.";
  if (faces.length === 1) return "One face was found.";
  return `${faces.length} faces were found. ${compared ? "Each gets the reference that is like it" :
    "From left to right they get the references in their order"}; click a face to keep the references for that one.`;
}

function faceButton(face, index, number) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "box";
  button.textContent = index + 1;
  button.setAttribute("aria-label", `Face ${index + 1}: keep references for it`);
  button.setAttribute("aria-pressed", index === number);
  button.addEventListener("click", () => choose(index === number ? null : face));
  place(button, face);
  return button;
}

function place(element, [left, top, right, bottom]) {
  const { width, height } = shown;
  element.style.left = `${left / width * 100}%`;
  element.style.top = `${top / height * 100}%`;
  element.style.width = `${(right - left) / width * 100}%`;
  element.style.height = `${(bottom - top) / height * 100}%`;
}

// Marking

function mark(on) {
  marking = on;
  $("preview").classList.toggle("marking", on);
  $("mark").setAttribute("aria-pressed", on);
}

// Where a pointer is, in whole pixels of the photograph.
function pixelAt(event) {
  const area = $("preview").getBoundingClientRect();
  const share = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  return share.map((part, index) => Math.round(Math.min(Math.max(part, 0), 1) * (index ? shown.height : shown.width)));
}

function boxBetween([x, y], [otherX, otherY]) {
  return [Math.min(x, otherX), Math.min(y, otherY), Math.max(x, otherX), Math.max(y, otherY)];
}

function drag(event) {
  if (!marking) return;
  event.preventDefault();
  const [area, start, over] = [$("preview"), pixelAt(event), new AbortController()];
  const listen = (type, act) => area.addEventListener(type, act, { signal: over.signal });
  const end = (box) => {
    over.abort();
    choose(box && box[0] < box[2] && box[1] < box[3] ? box : null);
  };
  area.setPointerCapture(event.pointerId);
  listen("pointermove", (moved) => {
    $("face-box").value = boxBetween(start, pixelAt(moved)).join(" ");
    draw();
  });
  listen("pointerup", (ended) => end(boxBetween(start, pixelAt(ended))));
  listen("pointercancel", () => end(null));
}

$("preview").addEventListener("pointerdown", drag);
$("mark").addEventListener("click", () => { mark(!marking); draw(); });
$("all-faces").addEventListener("click", () => choose(null));
$("face-box").addEventListener("input", () => { mark(false); draw(); });
onChange(show);
