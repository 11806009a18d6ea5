// The references, which are for all photographs.

import { bytesInWords } from "./words.js";

const list = document.getElementById("reference-list");
export let references = []; // {file, error}: error is why it cannot be used

// Takes files up to a number; returns a sentence if some are left out.
export function addReferences(files, most) {
  const room = most - references.length;
  references = [...references, ...files.slice(0, room).map((file) => ({ file, error: "" }))];
  draw();
  return files.length > room ? `Up to ${most} references are taken.` : "";
}

export function refuseReference(reference, sentence) {
  reference.error = sentence;
  draw();
}

function draw() {
  for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  list.replaceChildren(...references.map(element));
  document.getElementById("reference-options").hidden = !references.length;
}

function element(reference) {
  const [item, image, out, words] = ["li", "img", "button", "span"].map((name) => document.createElement(name));
  const { file, error } = reference;
  image.src = URL.createObjectURL(file);
  image.alt = "";
  out.type = "button";
  out.className = "small-button";
  out.textContent = "×";
  out.setAttribute("aria-label", `Leave ${file.name} out`);
  out.addEventListener("click", () => {
    references = references.filter((other) => other !== reference);
    draw();
    (list.querySelector("button") ?? document.getElementById("references")).focus();
  });
  words.textContent = error || `${file.name}, ${bytesInWords(file.size)}`;
  words.className = error ? "wrong" : "";
  item.append(image, out, words);
  return item;
}
