// The list of photographs: each a button that shows it, with what became of it.

import { chosen, choose, onChange, photographs, remove } from "./album.js";

const list = document.getElementById("album");
const items = new Map(); // of photographs; kept, so that the focus stays where it is

function draw() {
  for (const [photograph, item] of items) {
    if (!photographs.includes(photograph)) {
      item.element.remove();
      items.delete(photograph);
    }
  }
  for (const photograph of photographs) {
    if (!items.has(photograph)) {
      items.set(photograph, newItem(photograph));
      list.append(items.get(photograph).element);
    }
    fill(items.get(photograph), photograph);
  }
}

function make(name, className, text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

function newItem(photograph) {
  const [element, show, texts] = [make("li", ""), make("button", "show"), make("span", "texts")];
  const item = { element, show, image: make("img", ""), words: make("span", "words"), download: make("a", "small-button", "↓") };
  item.image.alt = "";
  texts.append(make("span", "name", photograph.file.name), item.words);
  show.append(item.image, texts);
  const out = make("button", "small-button", "×");
  show.type = out.type = "button";
  show.addEventListener("click", () => choose(photograph));
  out.setAttribute("aria-label", `Remove ${photograph.file.name}`);
  out.addEventListener("click", () => {
    const next = element.nextElementSibling ?? element.previousElementSibling;
    remove(photograph);
    (next?.querySelector(".show") ?? document.getElementById("photo")).focus();
  });
  item.download.setAttribute("aria-label", `Download ${photograph.file.name}, restored`);
  element.append(show, item.download, out);
  return item;
}

function fill({ element, show, image, words, download }, photograph) {
  if (image.src !== photograph.url) image.src = photograph.url;
  element.className = photograph.state;
  show.setAttribute("aria-current", photograph === chosen);
  if (words.textContent !== photograph.words) words.textContent = photograph.words;
  download.hidden = !photograph.result;
  if (photograph.result) {
    download.href = `${photograph.result.path}/result`;
    download.download = photograph.result.told.name;
  }
}

onChange(draw);
