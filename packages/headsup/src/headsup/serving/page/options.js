// The options of a restoration, and what they mean in words.

import { chosen, onChange, photographs } from "./album.js";
import { fidelityInWords, strengthInWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const AMOUNTS = { // of the field beside the choice of a size
  scale: { min: 0.5, max: 16, step: "any", value: 2, label: "Times the sides" },
  longer: { min: 16, max: 16000, step: 1, value: 2000, label: "Longer side in pixels" },
};
let settings = null;

export function beginOptions(told) {
  settings = told;
  $("weights").replaceChildren(...told.weights.map(({ name }) => new Option(name, name)));
  $("weights-label").hidden = $("weights-row").hidden = told.weights.length < 2;
  drawSliders();
}

// Of a photograph, as the server wants them.
export function optionsOf(photograph) {
  return {
    ...sizeOf(photograph), weights: $("weights").value, fidelity: Number($("fidelity").value), colour: $("colour").value,
    format: $("format").value || null, strip_metadata: $("strip").checked,
    reference_strength: Number($("strength").value), force: $("force").checked,
  };
}

function sizeOf({ width, height, scale }) {
  const amount = Number($("amount").value);
  if ($("sizing").value === "usual") return { scale };
  if ($("sizing").value === "scale") return { scale: amount };
  const factor = amount / Math.max(width, height);
  return { size: [width, height].map((side) => Math.max(1, Math.round(side * factor))) };
}

function drawSize() {
  const photograph = chosen?.width ? chosen : photographs.find(({ width }) => width);
  $("result-size").textContent = photograph ? sizeInWords(photograph) : "";
}

function sizeInWords(photograph) {
  const { scale, size = [photograph.width, photograph.height].map((side) => Math.round(side * scale)) } = sizeOf(photograph);
  if (!(size[0] > 0 && size[1] > 0)) return "";
  const words = `gives ${size[0]} x ${size[1]} pixels`;
  if (!settings || size[0] * size[1] <= settings.largest_pixels) return words;
  return `${words}, more than the ${settings.largest_pixels / 1e6} megapixels that are made`;
}

function drawSliders() {
  const [fidelity, strength] = ["fidelity", "strength"].map((id) => Number($(id).value));
  const guided = settings?.weights.find(({ name }) => name === $("weights").value)?.guided;
  $("fidelity-value").value = fidelity.toFixed(2);
  $("fidelity-words").textContent = fidelityInWords(fidelity, guided);
  $("strength-value").value = strength.toFixed(2);
  $("strength-words").textContent = strengthInWords(strength);
}

function chooseSizing() {
  const amount = AMOUNTS[$("sizing").value];
  $("amount").hidden = !amount;
  $("amount").required = Boolean(amount);
  $("amount").disabled = !amount; // else a form does not submit because of a field that nobody sees
  if (amount) {
    const { min, max, step, value, label } = amount;
    Object.assign($("amount"), { min, max, step, value });
    $("amount").setAttribute("aria-label", label);
  }
  drawSize();
}

for (const id of ["fidelity", "strength", "weights"]) $(id).addEventListener("input", drawSliders);
$("sizing").addEventListener("input", chooseSizing);
$("amount").addEventListener("input", drawSize);
chooseSizing();
onChange(drawSize);
