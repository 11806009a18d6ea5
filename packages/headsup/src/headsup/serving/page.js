"use strict";
// One photograph at a time: a new job is opened, files are sent one request each, and the job is asked about until done.

const $ = (id) => document.getElementById(id);
const POLL_MILLISECONDS = 700;
let settings = null;
let photo = null; // {file, width, height}; the sizes are missing where the browser cannot read the file
let references = []; // files
let job = null; // path of the job in hand
let shown = null; // path of the job whose result is on the page

async function ask(method, path, body) {
  let reply;
  try {
    reply = await fetch(path, { method, body });
  } catch {
    throw new Error("The server does not answer; look whether headsup serve is still running.");
  }
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  return told;
}

async function begin() {
  settings = await ask("GET", "settings");
  $("about").textContent = `Weights ${settings.weights}, on ${settings.device}. Photographs go to the machine that ` +
    "restores them and nowhere else.";
  $("keeping").textContent = `Photographs and results are forgotten ${settings.minutes} minutes after they were last ` +
    `looked at, after ${settings.most_jobs} newer ones, and when headsup serve ends.`;
  if (!settings.references) {
    $("reference-words").textContent = "References need two small networks (5 MB) that are not here yet: run " +
      "faceops weights fetch yunet and faceops weights fetch mobilefacenet, then start headsup serve again.";
    $("reference-drop").classList.add("off");
    $("references").disabled = $("force").disabled = true;
  }
}

// Choosing files

function acceptsDrops(area, take) {
  area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

function megabytes(bytes) { return (bytes / 1e6).toFixed(1); }

function fits(file) {
  if (settings && file.size > settings.largest_bytes) {
    complain(`${file.name} has ${megabytes(file.size)} MB, and up to ${settings.largest_bytes / 1e6} MB are taken.`);
    return false;
  }
  return true;
}

async function takePhoto([file]) {
  if (!file || !fits(file)) return;
  photo = { file };
  say("");
  $("outcome").hidden = true;
  const image = $("chosen").querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  $("chosen").hidden = false;
  try {
    await image.decode();
    if (photo.file !== file) return;
    [photo.width, photo.height] = [image.naturalWidth, image.naturalHeight];
    image.hidden = false;
  } catch {
    image.hidden = true; // TIFF, say, which browsers do not show and the restorer reads
  }
  const size = photo.width ? `, ${photo.width} x ${photo.height} pixels` : "";
  $("chosen").querySelector("figcaption").textContent = `${file.name}${size}, ${megabytes(file.size)} MB`;
  showResultSize();
  showButtons();
}

function takeReferences(files) {
  if (!settings || !settings.references) return;
  for (const file of files.filter(fits)) {
    if (references.length === settings.most_references) {
      complain(`Up to ${settings.most_references} references are taken.`);
      break;
    }
    references.push(file);
  }
  showReferences();
}

function showReferences() {
  const list = $("reference-list");
  for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  list.replaceChildren(...references.map((file) => {
    const [item, image, remove] = ["li", "img", "button"].map((name) => document.createElement(name));
    image.src = URL.createObjectURL(file);
    image.alt = "";
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Leave ${file.name} out`);
    remove.addEventListener("click", () => {
      references = references.filter((other) => other !== file);
      showReferences();
    });
    item.append(image, remove, file.name);
    return item;
  }));
}

function showResultSize() {
  const scale = Number($("scale").value);
  let words = "times the sides of the photograph";
  if (photo && photo.width && scale > 0) {
    const [width, height] = [photo.width * scale, photo.height * scale].map(Math.round);
    words = `gives ${width} x ${height} pixels`;
    if (width * height > settings.largest_pixels) {
      words += `, more than the ${settings.largest_pixels / 1e6} megapixels that are made`;
    }
  }
  $("result-size").textContent = words;
}

// Restoring

async function restore(force) {
  let opened = null;
  $("again").hidden = true;
  $("restore").disabled = true;
  say(`Sending ${photo.file.name}`, true);
  try {
    opened = job = `jobs/${(await ask("POST", "jobs")).id}`;
    showButtons();
    await ask("PUT", `${opened}/photo?name=${encodeURIComponent(photo.file.name)}`, photo.file);
    for (const file of references) {
      if (job !== opened) return; // stopped
      say(`Sending ${file.name}`, true);
      await ask("POST", `${opened}/references?name=${encodeURIComponent(file.name)}`, file);
    }
    await ask("POST", `${opened}/start`, JSON.stringify({
      scale: Number($("scale").value), fidelity: Number($("fidelity").value), colour: $("colour").value, force,
    }));
    const told = await ended(opened);
    if (job !== opened) return;
    if (told.state === "failed") throw Object.assign(new Error(told.error), { offer: told.offer });
    showOutcome(opened, told);
  } catch (error) {
    if (job !== opened) return;
    if (opened) ask("DELETE", opened).catch(() => {});
    complain(error.message);
    $("again").textContent = error.offer ?? "";
    $("again").hidden = !error.offer;
  }
  job = null;
  showButtons();
}

async function ended(path) {
  while (job === path) {
    const told = await ask("GET", path);
    if (told.state === "done" || told.state === "failed") return told;
    if (job !== path) break;
    if (told.state === "working") {
      say(`${told.stage} (${Math.round(told.seconds)} s)`, true);
    } else {
      const others = told.before === 1 ? "One photograph is" : `${told.before} photographs are`;
      say(told.before ? `${others} restored before this one` : "Next in turn", true);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  return null;
}

function stop() {
  const stopped = job;
  job = null;
  ask("DELETE", stopped).catch(() => {});
  say("Stopped.");
  showButtons();
}

async function showOutcome(path, told) {
  if (shown) ask("DELETE", shown).catch(() => {});
  shown = path;
  say(`Done in ${told.seconds} seconds.`);
  $("before").src = `${path}/before`;
  $("after").src = `${path}/after`;
  $("download").href = `${path}/result`;
  $("download").download = told.name;
  $("size").textContent = `${told.name}, ${told.width} x ${told.height} pixels`;
  $("notes").replaceChildren(...told.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = note;
    return item;
  }));
  $("outcome").hidden = false;
  $("faces").replaceChildren();
  await Promise.all([$("before").decode(), $("after").decode()]);
  $("faces").replaceChildren(...told.faces.map((face) => faceElement(face)));
  $("outcome").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function faceElement(face) {
  const element = document.createElement("div");
  const words = document.createElement("p");
  element.className = "face";
  words.append(`Likeness of the face before and after: ${face.output_to_input.toFixed(2)}.`);
  if (face.reference) {
    words.append(` With ${face.reference}: ${face.input_to_reference.toFixed(2)} before, ` +
      `${face.output_to_reference.toFixed(2)} after.`);
  }
  element.append(faceCanvas($("before"), face.box), faceCanvas($("after"), face.box), words);
  return element;
}

// The box is in widths and heights of the photograph.
function faceCanvas(image, [left, top, right, bottom]) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 168;
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const side = Math.max((right - left) * width, (bottom - top) * height) * 1.4;
  const [x, y] = [(left + right) / 2 * width, (top + bottom) / 2 * height];
  canvas.getContext("2d").drawImage(image, x - side / 2, y - side / 2, side, side, 0, 0, 168, 168);
  return canvas;
}

// Words and buttons

function say(sentence, working = false) {
  $("progress").hidden = !sentence;
  $("status").textContent = sentence;
  $("status").className = "";
  $("bar").hidden = !working;
}

function complain(sentence) {
  say(sentence);
  $("status").className = "wrong";
}

function showButtons() {
  $("restore").disabled = !photo || job !== null;
  $("stop").hidden = job === null;
}

acceptsDrops($("photo-drop"), takePhoto);
acceptsDrops($("reference-drop"), takeReferences);
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
$("photo").addEventListener("change", () => { takePhoto([...$("photo").files]); $("photo").value = ""; });
$("references").addEventListener("change", () => { takeReferences([...$("references").files]); $("references").value = ""; });
$("scale").addEventListener("input", showResultSize);
$("fidelity").addEventListener("input", () => { $("fidelity-value").value = Number($("fidelity").value).toFixed(2); });
$("split").addEventListener("input", () => $("compare").style.setProperty("--split", `${$("split").value}%`));
$("form").addEventListener("submit", (event) => { event.preventDefault(); restore($("force").checked); });
$("again").addEventListener("click", () => restore(true));
$("stop").addEventListener("click", stop);
begin().catch((error) => complain(error.message));
