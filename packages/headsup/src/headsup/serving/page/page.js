// The page: files come in, are restored, and what became of the chosen one is shown.

import { addPhotographs, changed, chosen, onChange, photographs } from "./album.js";
import "./album_view.js";
import { beginOptions, optionsOf } from "./options.js";
import { beginPreview, boxIn, isBox } from "./preview.js";
import { addReferences, references } from "./references.js";
import { progress, restore, stop, wanted } from "./restoring.js";
import { showResult } from "./result.js";
import { ask } from "./server.js";
import { bytesInWords, countInWords } from "./words.js";

const $ = (id) => document.getElementById(id);
let settings = null;
let shown = null; // the result that is on the page
let batch = []; // photographs that were begun together

async function begin() {
  settings = await ask("GET", "settings");
  $("about").textContent = `Weights ${settings.weights.map(({ name }) => name).join(", ")}, on ${settings.device}. ` +
    "Photographs go to the machine that restores them and nowhere else.";
  $("keeping").textContent = `Photographs and results are deleted after ${settings.minutes} minutes without use, after ` +
    `${settings.most_jobs} newer ones, and when headsup serve ends.`;
  beginOptions(settings);
  beginPreview(settings);
  if (settings.threshold === null) {
    $("reference-words").textContent = "Other photographs of the people in it, sharper ones. From left to right, the " +
      "faces get them in their order; click a face, and all of them are for that one.";
  }
}

// Files

function acceptsDrops(area, take) {
  area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

function acceptsFiles(input, take) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
}

function isFitting(file) { return file.size <= settings.largest_bytes; }

// A sentence on each file that is too large.
function tooLarge(files) {
  return files.filter((file) => !isFitting(file)).map((file) => (
    `${file.name} has ${bytesInWords(file.size)}, and up to ${settings.largest_bytes / 1e6} MB are taken.`
  ));
}

function leaveOut(sentences) {
  $("left-out").textContent = sentences.join(" ");
  $("left-out").hidden = !sentences.length;
}

function takePhotographs(files) {
  if (!settings) return;
  const taken = files.filter(isFitting);
  const room = Math.max(settings.most_jobs - photographs.length, 0);
  const full = `Up to ${settings.most_jobs} photographs are taken; remove some to add others.`;
  leaveOut([...tooLarge(files), ...(taken.length > room ? [full] : [])]);
  addPhotographs(taken.slice(0, room));
}

function takeReferences(files) {
  if (!settings) return;
  const full = addReferences(files.filter(isFitting), settings.most_references);
  leaveOut([...tooLarge(files), ...(full ? [full] : [])]);
}

// Restoring

function restoreAll(list, force) {
  leaveOut([]);
  const forced = force ? { force } : {};
  for (const photograph of list) {
    const box = boxIn(photograph.box);
    if (box && !isBox(box)) {
      leaveOut([`The face of ${photograph.file.name} is not four numbers; choose it again.`]);
      continue;
    }
    batch.push(photograph);
    restore(photograph, { ...optionsOf(photograph), ...forced, face_box: box }, references);
  }
}

// What is said when nothing goes on any more; empties the batch.
function ended() {
  const done = batch.filter(({ state }) => state === "done");
  const failed = batch.filter(({ state }) => state === "failed");
  const stopped = batch.some(({ state }) => state === "ready");
  batch = [];
  if (stopped) return "Stopped.";
  if (done.length + failed.length === 1) {
    return done.length ? `Done in ${done[0].result.told.seconds} seconds.` : `${failed[0].file.name} could not be restored.`;
  }
  const words = `${countInWords(done.length, "photograph is", "photographs are")} done`;
  return failed.length ? `${words}, ${failed.length} could not be restored: the list says why.` : `${words}.`;
}

// Drawing

function drawDrop() {
  $("photo-drop").classList.toggle("small", photographs.length > 0);
  $("photo-drop").querySelector("span").textContent =
    photographs.length ? "Drop or choose more photographs" : "Drop photographs here, or choose them";
}

function drawBar() {
  const going = progress();
  const began = batch.length;
  let words = going?.words;
  if (!going && began) words = ended();
  if (words !== undefined) say(words);
  announce(going ? going.stage : words);
  $("progress").hidden = !going;
  if (going?.share == null) $("progress").removeAttribute("value");
  else $("progress").value = going.share;
  const list = wanted(chosen);
  const again = list.length && list[0].state !== "ready" ? " again" : "";
  $("restore").textContent = list.length > 1 ? `Restore ${list.length} photographs${again}` : `Restore${again}`;
  $("restore").disabled = !settings || !list.length;
  $("restore").hidden = going !== null && !list.length;
  $("stop").hidden = !going;
}

function say(words) { $("status").textContent = words; }

// Screen readers are told of stages, and not of every second.
function announce(words) {
  if (words !== undefined && $("spoken").textContent !== words) $("spoken").textContent = words;
}

function drawTrouble() {
  $("trouble").hidden = !chosen?.error;
  $("trouble-words").textContent = chosen?.error ?? "";
  $("again").textContent = chosen?.offer ?? "";
  $("again").hidden = !chosen?.offer;
}

function drawResult() {
  const result = chosen?.result ?? null;
  $("to-result").hidden = !result;
  if (result === shown) return;
  const isNew = result && batch.length <= 1 && batch.includes(chosen);
  shown = result;
  if (!result) {
    $("outcome").hidden = true;
    return;
  }
  $("outcome-title").textContent = `Result: ${chosen.file.name}`;
  showResult(result, settings.threshold).then(() => {
    if (isNew && shown === result) $("outcome").scrollIntoView({ behavior: "smooth", block: "start" });
  }, () => { if (shown === result) say("The pictures are no longer there; restore the photograph again."); });
}

acceptsDrops($("photo-drop"), takePhotographs);
acceptsDrops($("reference-drop"), takeReferences);
acceptsFiles($("photo"), takePhotographs);
acceptsFiles($("references"), takeReferences);
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
$("form").addEventListener("submit", (event) => { event.preventDefault(); restoreAll(wanted(chosen)); });
$("again").addEventListener("click", () => restoreAll([chosen], true));
$("stop").addEventListener("click", stop);
for (const draw of [drawDrop, drawResult, drawTrouble, drawBar]) onChange(draw);
begin().then(changed, (error) => say(error.message));
