// Sizes, times and settings in words.

export function bytesInWords(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)}\u00a0kB` : `${(bytes / 1e6).toFixed(1)}\u00a0MB`;
}

export function secondsInWords(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))}\u00a0s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)}\u00a0min` : `${(seconds / 3600).toFixed(1)}\u00a0h`;
}

// An estimate, coarser the longer it is, so that it does not change all the time.
export function leftInWords(seconds) {
  if (seconds < 3) return "nearly done";
  const step = seconds < 20 ? 1 : seconds < 90 ? 5 : 60;
  return `about ${secondsInWords(Math.ceil(seconds / step) * step)} left`;
}

export function countInWords(count, one, several) {
  return count === 1 ? `1 ${one}` : `${count} ${several}`;
}

// `guided` weights have a picture without damage in which nothing is invented; others have the enlarged photograph.
export function fidelityInWords(fidelity, guided) {
  const faithful = guided ? "the photograph without its damage, with nothing invented" : "the enlarged photograph as it is";
  if (fidelity === 0) return "All that the restorer adds: sharpest, but lost detail is invented.";
  if (fidelity === 1) return `Nothing that the restorer invents: ${faithful}.`;
  const share = `${Math.round(fidelity * 100)} %`;
  if (fidelity < 0.35) return `Sharp, and a little closer to what was there: ${share} is ${faithful}.`;
  if (fidelity <= 0.65) return `A balance: ${share} is ${faithful}, the rest is what the restorer makes of it.`;
  return `Close to what was there, and softer: ${share} is ${faithful}.`;
}

export function strengthInWords(strength) {
  if (strength === 0) return "References are not used.";
  if (strength === 1) return "Faces become as like the references as the weights can make them.";
  return strength < 0.5 ? "A hint of the references; faces stay mostly as they are in the photograph."
    : "Faces take much of the references, and keep some of the photograph.";
}
