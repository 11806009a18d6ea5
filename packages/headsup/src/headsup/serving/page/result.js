// What became of a photograph: before and after, the file, and each face with its reference.

import { showPictures } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const FACE_SIDE = 168; // pixels of the canvas

// `threshold` is the similarity that two sharp photographs of one person reach; null where nothing compares faces.
export async function showResult({ path, told }, threshold) {
  $("download").href = `${path}/result`;
  $("download").download = told.name;
  $("size").textContent = `${told.name}, ${told.width} x ${told.height} pixels` +
    (told.exif ? ". Metadata of the photograph, which may say when and where it was taken, are in it." : "");
  $("notes").replaceChildren(...told.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = note;
    return item;
  }));
  $("outcome").hidden = false;
  $("faces").replaceChildren();
  $("faces-words").textContent = "";
  $("faces-title").hidden = !told.faces.length && !told.notes.length;
  await showPictures(path, told);
  showFaces(path, told.faces, threshold);
}

function showFaces(path, faces, threshold) {
  const referred = faces.some((face) => face.person);
  $("faces").replaceChildren(...faces.map((face, number) => faceElement(path, face, number, faces.length, referred)));
  $("faces-words").textContent = !faces.length || threshold === null ? "" : "Similarity goes up to 1. Two sharp photographs of one person " +
    `reach ${threshold.toFixed(2)}, a damaged face less.` + (referred ? " That to the reference rises by " +
    "itself, as the face is made in its likeness; it does not say that it is the right person." : "");
}

function faceElement(path, face, number, count, referred) {
  const element = document.createElement("div");
  const [title, words] = [document.createElement("h3"), document.createElement("p")];
  element.className = "face";
  const name = count === 1 ? "The face" : `Face ${number + 1}`;
  const views = [["before", faceCanvas($("before"), face.box)], ["after", faceCanvas($("after"), face.box)]];
  title.textContent = name;
  const compared = face.output_to_input !== null;
  words.textContent = compared ? `Similarity of before and after: ${face.output_to_input.toFixed(2)}.` : "";
  if (face.person) {
    const reference = new Image();
    [reference.src, reference.alt] = [`${path}/faces/${number}`, ""];
    views.push(["reference", reference]);
    title.textContent = `${name} is taken for ${face.person}`;
    words.textContent += !compared ? `Reference ${face.reference}.` : ` To the reference ${face.reference}: ` +
      `${face.input_to_reference.toFixed(2)} before, ${face.output_to_reference.toFixed(2)} after.`;
  } else if (referred) {
    title.textContent = `${name} has no reference`;
  }
  element.append(title, ...views.map(([caption, view]) => captioned(view, caption)), words);
  return element;
}

function captioned(view, caption) {
  const [figure, words] = [document.createElement("figure"), document.createElement("figcaption")];
  words.textContent = caption;
  figure.append(view, words);
  return figure;
}

// The box is in widths and heights of the photograph.
function faceCanvas(image, [left, top, right, bottom]) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true"); // its caption says all that can be said
  canvas.width = canvas.height = FACE_SIDE;
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const side = Math.max((right - left) * width, (bottom - top) * height) * 1.4;
  const [x, y] = [(left + right) / 2 * width, (top + bottom) / 2 * height];
  canvas.getContext("2d").drawImage(image, x - side / 2, y - side / 2, side, side, 0, 0, FACE_SIDE, FACE_SIDE);
  return canvas;
}
