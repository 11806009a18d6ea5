// One photograph at a time: it is sent when it is chosen, references and options when it is to be restored; then the page
// asks what became of it until it is done.

import { beginPreview, chosenBox, showFaces } from "./preview.js";
import { showResult } from "./result.js";

const $ = (id) => document.getElementById(id);
const POLL_MILLISECONDS = 700;
let settings = null;
let photo = null; // {file, sent, width, height, used}: sent is a promise of {path, width, height}, the job that holds it
let scaleIsChosen = false; // else it is what the server thinks fit
let references = []; // files
let job = null; // {path} of the job in hand; the path is missing as long as files are sent
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
  $("keeping").textContent = `Photographs and results are deleted after ${settings.minutes} minutes without use, after ` +
    `${settings.most_jobs} newer ones, and when headsup serve ends.`;
  if (!settings.references) {
    $("reference-words").textContent = "References need two small networks (5 MB) that are not here yet: run " +
      "faceops weights fetch yunet and faceops weights fetch mobilefacenet, then start headsup serve again.";
    $("reference-drop").classList.add("off");
    $("references").disabled = $("force").disabled = true;
  } else if (settings.threshold === null) {
    $("reference-words").textContent = "Other photographs of the people in it, sharper ones. From left to right, the " +
      "faces get them in their order; click a face, and all of them are for that one.";
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

function sizeInWords(bytes) { return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`; }

function fits(file) {
  if (settings && file.size > settings.largest_bytes) {
    complain(`${file.name} has ${sizeInWords(file.size)}, and up to ${settings.largest_bytes / 1e6} MB are taken.`);
    return false;
  }
  return true;
}

async function takePhoto([file]) {
  if (!file || !fits(file)) return;
  const before = photo;
  if (before) before.sent.then(({ path }) => before.used || forget(path), () => {});
  const chosen = photo = { file, sent: send(file) };
  if (!job) say(`Sending ${file.name}`, true);
  $("outcome").hidden = $("chosen").hidden = $("choice").hidden = true;
  showButtons();
  try {
    const size = await chosen.sent;
    if (photo !== chosen) return;
    if (!job) say("");
    await showPhoto(chosen, size);
    if (settings.references) await lookForFaces(chosen, size.path);
  } catch (error) {
    if (photo !== chosen) return;
    photo = null;
    $("chosen").hidden = $("choice").hidden = true;
    complain(error.message);
  }
  showResultSize();
  showButtons();
}

async function send(file) {
  const path = `jobs/${(await ask("POST", "jobs")).id}`;
  return { path, ...await ask("PUT", `${path}/photo?name=${encodeURIComponent(file.name)}`, file) };
}

function forget(path) { ask("DELETE", path).catch(() => {}); }

async function showPhoto(chosen, { path, width, height, scale }) {
  const image = $("preview").querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(chosen.file);
  $("chosen").querySelector("figcaption").textContent =
    `${chosen.file.name}, ${width} x ${height} pixels, ${sizeInWords(chosen.file.size)}`;
  [chosen.width, chosen.height] = [width, height];
  if (!scaleIsChosen) $("scale").value = scale;
  beginPreview(width, height);
  showResultSize();
  showButtons();
  try {
    await image.decode();
  } catch { // TIFF, say, which browsers do not show
    image.src = `${path}/photo`;
    await image.decode().catch(() => {});
  }
  if (photo !== chosen) return;
  $("chosen").hidden = false;
  $("photo-drop").classList.add("small");
  $("photo-drop").querySelector("span").textContent = "Drop or choose another photograph";
}

async function lookForFaces(chosen, path) {
  $("choice").hidden = false;
  let faces = null;
  try {
    ({ faces } = await ask("GET", `${path}/faces`));
  } catch (error) {
    if (!chosen.used) throw error; // else its work was stopped or refused before the faces were found, and it is deleted
  }
  if (photo !== chosen) return;
  if (faces) return showFaces(faces, settings.threshold !== null);
  beginPreview(chosen.width, chosen.height); // no face is chosen
  $("choice").hidden = true;
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
  const own = job = {};
  const options = {
    scale: Number($("scale").value), fidelity: Number($("fidelity").value), colour: $("colour").value, force,
    face_box: settings.references ? chosenBox() : null,
  };
  $("again").hidden = true;
  showButtons();
  say(`Sending ${photo.file.name}`, true);
  try {
    own.path = await unusedJob();
    for (const file of references) {
      if (job !== own) return forget(own.path); // stopped
      say(`Sending ${file.name}`, true);
      await ask("POST", `${own.path}/references?name=${encodeURIComponent(file.name)}`, file);
    }
    if (job !== own) return forget(own.path);
    await ask("POST", `${own.path}/start`, JSON.stringify(options));
    const told = await ended(own);
    if (job !== own) return;
    if (told.state === "failed") throw Object.assign(new Error(told.error), { offer: told.offer });
    showOutcome(own.path, told);
  } catch (error) {
    if (job !== own) return;
    if (own.path) forget(own.path);
    complain(error.message);
    $("again").textContent = error.offer ?? "";
    $("again").hidden = !error.offer;
  }
  job = null;
  showButtons();
}

// A job that holds the photograph and has not been started; it may be deleted, or be started before, and then the
// photograph is sent again.
async function unusedJob() {
  const chosen = photo;
  const { path } = await chosen.sent;
  if (!chosen.used && (await ask("GET", path).catch(() => ({}))).state === "open") {
    chosen.used = true;
    return path;
  }
  return (await send(chosen.file)).path;
}

async function ended(own) {
  while (job === own) {
    const told = await ask("GET", own.path);
    if (told.state === "done" || told.state === "failed") return told;
    if (job !== own) break;
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
  if (job.path) forget(job.path);
  job = null;
  say("Stopped.");
  showButtons();
}

function showOutcome(path, told) {
  if (shown) forget(shown);
  shown = path;
  say(`Done in ${told.seconds} seconds.`);
  showResult(path, told, settings.threshold).catch((error) => complain(error.message));
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
  $("progress").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function showButtons() {
  $("restore").disabled = !photo?.width || job !== null;
  $("stop").hidden = job === null;
}

acceptsDrops($("photo-drop"), takePhoto);
acceptsDrops($("reference-drop"), takeReferences);
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
$("photo").addEventListener("change", () => { takePhoto([...$("photo").files]); $("photo").value = ""; });
$("references").addEventListener("change", () => { takeReferences([...$("references").files]); $("references").value = ""; });
$("scale").addEventListener("input", () => { scaleIsChosen = true; showResultSize(); });
$("fidelity").addEventListener("input", () => { $("fidelity-value").value = Number($("fidelity").value).toFixed(2); });
$("form").addEventListener("submit", (event) => { event.preventDefault(); restore($("force").checked); });
$("again").addEventListener("click", () => restore(true));
$("stop").addEventListener("click", stop);
begin().catch((error) => complain(error.message));
