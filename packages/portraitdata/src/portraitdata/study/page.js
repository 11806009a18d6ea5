"use strict";
// One question at a time. What is chosen is kept at once, under the name of the study and of the participant.

const $ = (id) => document.getElementById(id);
const study = JSON.parse($("study").textContent);
const questions = study.questions;
const FORMAT = "portraitdata study answers 1";
const LEAST_SIDE = 160; // of a picture, in pixels; if smaller ones would fit the window, it scrolls
const GAP = 10; // between pictures, as in page.css
const CAPTION = 50; // height of what is around a picture
const PAUSE_MILLISECONDS = 350; // a choice is seen before the next question comes, and a double click is one choice
const WORDS = {
  naturalness: "Which face looks most natural?",
  similarity: "Which face is most similar to the person?",
};
let participant = "";
let chosen = {}; // token of the candidate, by token of the question
let at = 0;
let pausing = false;

// Keeping

function place(name) { return `portraitdata study ${study.study} ${name}`; }

function kept(name) {
  try {
    return JSON.parse(localStorage.getItem(place(name)));
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(place(name), JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

// Beginning

function plural(number, word) { return `${number} ${word}${number === 1 ? "" : "s"}`; }

function showIntro() {
  $("count").textContent = questions.length;
  const kinds = [...new Set(questions.map((question) => question.kind))];
  $("parts").replaceChildren(...kinds.map((kind) => {
    const item = document.createElement("li");
    const count = questions.filter((question) => question.kind === kind).length;
    item.textContent = `“${WORDS[kind]}” ${plural(count, "time")}`;
    return item;
  }));
  if (!keep("last", kept("last"))) {
    $("keeping").textContent = "Nothing is sent anywhere. This browser keeps nothing for the page: do not close it " +
      "before you have saved your answers.";
  }
  $("participant").value = kept("last") ?? "";
  showKnown();
  $("start").querySelector("button").disabled = false; // a large page is seen long before its pictures are there
  $("participant").focus();
}

function showKnown() {
  const before = kept(`of ${$("participant").value.trim()}`);
  const count = before ? Object.keys(before).length : 0;
  $("start").querySelector("button").textContent = count ? "Go on" : "Start";
  $("known").textContent = count ? `Under this name ${count} of ${plural(questions.length, "question")} ` +
    `${count === 1 ? "is" : "are"} answered in this browser. If that was not you, take another name.` : "";
}

function begin(event) {
  event.preventDefault();
  participant = $("participant").value.trim();
  if (!participant) return;
  keep("last", participant);
  chosen = kept(`of ${participant}`) ?? {};
  const open = questions.findIndex((question) => !(question.token in chosen));
  if (open < 0) showEnd(); else show(open);
}

function showOnly(id) {
  for (const part of ["intro", "ask", "end"]) $(part).hidden = part !== id;
  window.scrollTo(0, 0);
}

// Asking

function image(number, words, question) {
  const element = new Image(question.width, question.height);
  element.src = study.images[number];
  element.alt = words;
  element.draggable = false;
  return element;
}

function givenFigure(given, question) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = given.words;
  figure.append(image(given.image, given.words, question), caption);
  return figure;
}

function candidateButton(candidate, index, question) {
  const button = document.createElement("button");
  const number = document.createElement("span");
  button.type = "button";
  button.className = "candidate";
  button.setAttribute("aria-pressed", chosen[question.token] === candidate.token);
  button.setAttribute("aria-keyshortcuts", index + 1);
  number.textContent = index + 1;
  number.ariaHidden = "true"; // the picture's words have it
  button.append(image(candidate.image, `Candidate ${index + 1}`, question), number);
  button.addEventListener("click", () => choose(index));
  return button;
}

function show(index) {
  at = index;
  const question = questions[at];
  const kinds = [...new Set(questions.map((other) => other.kind))];
  $("number").textContent = `Question ${at + 1} of ${questions.length}`;
  $("part").textContent = kinds.length > 1 ? `part ${kinds.indexOf(question.kind) + 1} of ${kinds.length}` : "";
  $("progress").max = questions.length;
  $("progress").value = Object.keys(chosen).length;
  $("question").textContent = WORDS[question.kind];
  $("change").hidden = at === 0 || questions[at - 1].kind === question.kind;
  const shown = [
    ...question.given.map((given) => givenFigure(given, question)),
    ...question.candidates.map((candidate, number) => candidateButton(candidate, number, question)),
  ];
  $("pictures").replaceChildren(...shown);
  $("back").disabled = at === 0;
  $("next").disabled = !(question.token in chosen);
  showOnly("ask");
  arrange();
  $("question").focus({ preventScroll: true });
}

function choose(index) {
  const question = questions[at];
  if (pausing || index >= question.candidates.length) return;
  chosen[question.token] = question.candidates[index].token;
  keep(`of ${participant}`, chosen);
  $("pictures").querySelectorAll(".candidate").forEach((button, number) => {
    button.setAttribute("aria-pressed", number === index);
  });
  pausing = true;
  setTimeout(() => { pausing = false; forward(); }, PAUSE_MILLISECONDS);
}

function forward() {
  if (pausing || !(questions[at].token in chosen)) return;
  if (at + 1 < questions.length) show(at + 1); else showEnd();
}

function back() {
  if (!pausing && at > 0) show(at - 1);
}

function press(event) {
  if ($("ask").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  // some keyboards have digits only with shift
  const digit = /^[1-9]$/.exec(event.key) ?? /(?<=^Digit)[1-9]$/.exec(event.code);
  if (digit) {
    choose(Number(digit[0]) - 1);
  } else if (!event.target.matches("input")) { // where arrows move the slider
    if (event.key === "ArrowLeft") back();
    if (event.key === "ArrowRight") forward();
  }
}

// The largest pictures that fit the window without scrolling, in even rows, times what the slider says.
function arrange() {
  const area = $("pictures");
  const count = area.children.length;
  const ratio = questions[at].width / questions[at].height;
  const width = $("ask").clientWidth;
  const height = innerHeight - area.offsetTop - $("ask").querySelector("footer").offsetHeight - CAPTION / 2;
  let [side, columns] = [0, 1];
  for (let rows = 1; rows <= count; rows++) {
    const inRow = Math.ceil(count / rows);
    const fitting = Math.min((width + GAP) / inRow - GAP, (height / rows - CAPTION) * ratio);
    if (fitting > side) [side, columns] = [fitting, inRow];
  }
  if (side < LEAST_SIDE) {
    columns = Math.max(1, Math.floor((width + GAP) / (LEAST_SIDE + GAP)));
    side = (width + GAP) / columns - GAP;
  }
  side = Math.floor(Math.min(width, side * $("size").value));
  area.style.setProperty("--side", `${side}px`);
  area.style.maxWidth = `${columns * (side + GAP)}px`;
}

// Ending

function showEnd() {
  if (pausing) return;
  const missing = questions.length - Object.keys(chosen).length;
  $("done").textContent = missing ? "Not all questions are answered yet" : "That was the last question. Thank you!";
  $("missing").textContent = missing ? `${plural(missing, "question")} of ${questions.length} ` +
    `${missing === 1 ? "is" : "are"} open. You can go on now or later, or save what is there.` : "";
  $("saved").textContent = "";
  showOnly("end");
  $("done").focus({ preventScroll: true });
}

function save() {
  const now = new Date().toISOString();
  const record = { format: FORMAT, study: study.study, participant, saved: now, questions: questions.length, answers: chosen };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(record, null, 1) + "\n"], { type: "application/json" }));
  link.download = `answers-${participant.replace(/[^\p{L}\p{N}]+/gu, "-")}-${now.slice(0, 10)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  $("saved").textContent = `${link.download} is among your downloads now. The answers stay in this browser, too.`;
}

$("start").addEventListener("submit", begin);
$("participant").addEventListener("input", showKnown);
$("back").addEventListener("click", back);
$("next").addEventListener("click", forward);
$("stop").addEventListener("click", showEnd);
$("save").addEventListener("click", save);
$("review").addEventListener("click", () => show(at));
$("size").addEventListener("input", arrange);
addEventListener("resize", () => { if (!$("ask").hidden) arrange(); });
document.addEventListener("keydown", press);
showIntro();
