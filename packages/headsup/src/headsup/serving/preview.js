// The faces on the preview of the photograph, numbered, and the one that the references are for. What is chosen is what
// stands in the field: four numbers, or nothing for all faces.

const $ = (id) => document.getElementById(id);
const WANTED = "Left, top, right and bottom of a face: four numbers in pixels of the photograph.";
let size = null; // width and height of the photograph
let faces = null; // boxes, the largest first; null as long as they are looked for
let marking = false;
let compared = true; // whether a network on the server tells people apart

export function beginPreview(width, height) {
  [faces, size] = [null, [width, height]];
  $("preview").style.width = `min(100%, calc(60vh * ${width / height}))`;
  choose(null);
}

export function showFaces(found, areCompared) {
  compared = areCompared;
  faces = found.map((box) => box.map(Math.round));
  draw();
}

// The chosen box, or null for all faces.
export function chosenBox() {
  const words = $("face-box").value.trim();
  return words ? words.split(/[\s,;]+/).map(Number) : null;
}

function choose(box) {
  $("face-box").value = box ? box.join(" ") : "";
  mark(false);
  draw();
}

function draw() {
  const box = chosenBox();
  const valid = !box || (box.length === 4 && box.every(Number.isFinite) && box[0] < box[2] && box[1] < box[3]);
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
  $("boxes").replaceChildren(...buttons);
  $("all-faces").hidden = !box;
  $("found").textContent = !valid ? WANTED : words(box, number);
}

function words(box, number) {
  if (marking) return "Drag from one corner of the face to the opposite one.";
  if (box) return `References are for ${number < 0 ? "the marked face" : `face ${number + 1}`} alone.`;
  if (!faces) return "Looking for faces.";
  if (!faces.length) return "No face was found. If you have references, mark the face that they are for.";
  if (faces.length === 1) return "One face was found.";
  return `${faces.length} faces were found. ${compared ? "Each gets the reference that is like it" :
    "From left to right they get the references in their order"}; click a face to keep the references for that one.`;
}

function faceButton(face, index, chosen) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "box";
  button.textContent = index + 1;
  button.setAttribute("aria-label", `Face ${index + 1}`);
  button.setAttribute("aria-pressed", index === chosen);
  button.addEventListener("click", () => choose(index === chosen ? null : face));
  place(button, face);
  return button;
}

function place(element, [left, top, right, bottom]) {
  const [width, height] = size;
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
  return share.map((part, index) => Math.round(Math.min(Math.max(part, 0), 1) * size[index]));
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
