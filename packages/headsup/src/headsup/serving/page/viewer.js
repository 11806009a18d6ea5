// Before and after: one over the other with a border between them, or side by side; as a whole, or with a pixel of the result
// on a pixel of the screen, and then moved by dragging or by the arrow keys.

const $ = (id) => document.getElementById(id);
const TALLEST = 0.72; // of the window; below it lies the bar with the button
const REACH = 24; // pixels within which a pointer takes the border and not the picture
const STEP = 0.15; // of what is seen, by which an arrow key moves
const GAP = 4; // pixels between two pictures, as in the style sheet
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const view = $("view");
let size = null; // width and height of the result in pixels
let fullSources = null; // of before and after with all pixels, until they are needed
let centre = [0.5, 0.5]; // of what is seen, in parts of the picture

// Shows a result; settles when its pictures are there.
export async function showPictures(path, told) {
  size = [told.width, told.height];
  fullSources = told.full ? { before: `${path}/before/full`, after: `${path}/after/full` } : null;
  centre = [0.5, 0.5];
  for (const name of ["before", "after"]) $(name).src = `${path}/${name}`;
  layOut();
  await Promise.all([$("before").decode(), $("after").decode()]);
}

function checked(name) { return document.querySelector(`input[name=${name}]:checked`).value; }

function isZoomed() { return checked("zoom") !== "fit"; }

function isSplit() { return checked("arrangement") === "split"; }

// Number of pictures beside and above each other, whichever shows them larger.
function grid(width, height) {
  if (isSplit()) return [1, 1];
  const beside = Math.min((width - GAP) / 2 / size[0], height / size[1]);
  const stacked = Math.min(width / size[0], (height - GAP) / 2 / size[1]);
  return beside >= stacked ? [2, 1] : [1, 2];
}

function layOut() {
  if (!size) return;
  if (isZoomed()) showAllPixels();
  const [width, height] = [view.parentElement.clientWidth - padding(), window.innerHeight * TALLEST];
  const [columns, rows] = grid(width, height);
  const room = [(width - GAP * (columns - 1)) / columns, (height - GAP * (rows - 1)) / rows];
  const fit = Math.min(room[0] / size[0], room[1] / size[1]);
  const scale = isZoomed() ? Number(checked("zoom")) / window.devicePixelRatio : fit;
  const whole = size.map((side) => side * scale);
  const pane = whole.map((side, axis) => Math.min(side, room[axis]));
  view.className = `${isSplit() ? "split" : "beside"} ${isZoomed() ? "zoomed" : "fit"}`;
  view.style.gridTemplateColumns = `repeat(${columns}, ${pane[0]}px)`;
  view.style.gridAutoRows = `${pane[1]}px`;
  centre = centre.map((place, axis) => clamped(place, pane[axis] / whole[axis] / 2));
  for (const name of ["before", "after"]) {
    // whole pixels of the screen, else all would be blurred
    const offset = whole.map((side, axis) => onScreen(pane[axis] / 2 - centre[axis] * side));
    Object.assign($(name).style, {
      width: `${whole[0]}px`, height: `${whole[1]}px`, transform: `translate(${offset[0]}px, ${offset[1]}px)`,
    });
  }
  describe(pane, whole);
}

function padding() {
  const style = getComputedStyle(view.parentElement);
  return parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
}

function onScreen(pixels) { return Math.round(pixels * window.devicePixelRatio) / window.devicePixelRatio; }

function clamped(place, half) { return Math.min(Math.max(place, Math.min(half, 0.5)), Math.max(1 - half, 0.5)); }

function describe(pane, whole) {
  const isMovable = isZoomed() && whole.some((side, axis) => side > pane[axis] + 1);
  view.tabIndex = isMovable ? 0 : -1;
  view.classList.toggle("movable", isMovable);
  view.setAttribute("aria-label", isMovable ? "Before and after; the arrow keys move the picture" : "Before and after");
  $("ends").hidden = !isSplit();
  $("ends").style.maxWidth = `max(16rem, ${pane[0]}px)`;
  $("view-words").hidden = !isMovable;
  $("view-words").firstElementChild.textContent =
    "Drag the picture, or use the arrow keys, to see other parts of it. A double click shows all of it.";
}

function showAllPixels() {
  if (!fullSources) return;
  for (const [name, source] of Object.entries(fullSources)) {
    const picture = new Image();
    picture.src = source;
    picture.decode().then(() => { if ($(name).src.endsWith(source.replace(/\/full$/, ""))) $(name).src = source; }, () => {});
  }
  fullSources = null;
}

function move(right, down) {
  const pane = $("pane-after").getBoundingClientRect();
  const whole = $("after").getBoundingClientRect();
  centre = [centre[0] + right * pane.width / whole.width, centre[1] + down * pane.height / whole.height];
  layOut();
}

// The border

function setSplit(percent) {
  $("split").value = percent;
  view.style.setProperty("--split", `${$("split").value}%`);
}

function splitAt({ clientX }) {
  const { left, width } = view.getBoundingClientRect();
  setSplit((clientX - left) / width * 100);
}

function isNearBorder({ clientX }) {
  const { left, width } = view.getBoundingClientRect();
  return isSplit() && Math.abs(clientX - left - Number($("split").value) / 100 * width) < REACH;
}

function drag(event) {
  if (event.button !== 0) return;
  const isMovable = view.classList.contains("movable");
  const takesBorder = isSplit() && (!isMovable || isNearBorder(event));
  if (!takesBorder && !isMovable) return;
  const over = new AbortController();
  let last = event;
  const follow = (moved) => {
    if (takesBorder) return splitAt(moved);
    const { width, height } = $("pane-after").getBoundingClientRect();
    move((last.clientX - moved.clientX) / width, (last.clientY - moved.clientY) / height);
    last = moved;
  };
  view.setPointerCapture(event.pointerId);
  if (takesBorder) splitAt(event);
  view.addEventListener("pointermove", follow, { signal: over.signal });
  for (const type of ["pointerup", "pointercancel"]) view.addEventListener(type, () => over.abort(), { signal: over.signal });
}

// What was clicked lies in the middle of what is then seen.
function toggleZoom(event) {
  const picture = $(event.target.closest("#pane-before") ? "before" : "after").getBoundingClientRect();
  centre = [(event.clientX - picture.left) / picture.width, (event.clientY - picture.top) / picture.height];
  document.querySelector(`input[name=zoom][value="${isZoomed() ? "fit" : "1"}"]`).checked = true;
  layOut();
}

function pressed(event) {
  const direction = ARROWS[event.key];
  if (!direction || !view.classList.contains("movable")) return;
  event.preventDefault();
  move(direction[0] * STEP, direction[1] * STEP);
}

view.addEventListener("pointerdown", drag);
view.addEventListener("dblclick", toggleZoom);
view.addEventListener("keydown", pressed);
$("tools").addEventListener("change", layOut);
$("split").addEventListener("input", () => setSplit($("split").value));
window.addEventListener("resize", layOut);
