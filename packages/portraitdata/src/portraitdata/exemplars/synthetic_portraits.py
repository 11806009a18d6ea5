"""Drawn portraits: people that never were, for smoke runs and tests where there are no photographs.

Nothing learned from them is of use on photographs. Every person has a face shape, colours, eyes and freckles of their
own; every portrait of the person a pose, a light and an expression.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceops.atomic_files import replacing
from portraitdata.exemplars.index import ExemplarIndex, Photograph, Split


@dataclass
class Canvas:
    """A picture of four times the size, in units of its side, that ellipses are painted on.

    Args:
        pixels: The picture, changed in place.
        centre: Point (right, down) that ellipses are placed about.
        light: Factor of all colours.
    """

    pixels: NDArray[np.uint8]
    centre: tuple[float, float]
    light: float

    def ellipse(
        self, right: float, down: float, breadth: float, height: float, colour: NDArray[np.float64], arc: int = 360
    ) -> None:
        """Paint an ellipse of the given half axes, or the first `arc` degrees of it."""
        side = self.pixels.shape[0]
        place = round(side * (self.centre[0] + right)), round(side * (self.centre[1] + down))
        axes = max(1, round(side * breadth)), max(1, round(side * height))
        tone = (colour * self.light).clip(0, 255).tolist()
        cv2.ellipse(self.pixels, place, axes, 0, 0, arc, tone, -1, cv2.LINE_AA)


def draw_portrait(person: int, portrait: int, size: int = 128) -> NDArray[np.uint8]:
    """Draw one portrait of a person, sRGB (size, size, 3); the same numbers give the same picture."""
    features = np.random.default_rng((0, person))
    skin, hair, iris, wall = (features.uniform(*span, 3) for span in ((90, 230), (10, 120), (30, 160), (60, 220)))
    breadth, chin, gap, eye, mouth = features.uniform(
        (0.26, 0.34, 0.11, 0.03, 0.08), (0.33, 0.42, 0.15, 0.05, 0.14)
    ).tolist()
    freckles = features.uniform(-0.2, 0.2, (int(features.integers(0, 40)), 2)).tolist()
    pose = np.random.default_rng((1, person, portrait))
    right, down, turn, light, smile = pose.uniform(
        (0.45, 0.45, -0.04, 0.75, 0.0), (0.55, 0.55, 0.04, 1.2, 0.06)
    ).tolist()

    background = np.tile((wall * light).clip(0, 255).astype(np.uint8), (4 * size, 4 * size, 1))
    canvas = Canvas(background, (right, down), light)
    canvas.ellipse(0.0, -0.08, breadth * 1.25, chin * 1.1, hair)
    canvas.ellipse(0.0, 0.02, breadth, chin, skin)
    for side in (-1, 1):
        at = side * gap + turn
        canvas.ellipse(at, -0.05, eye * 1.6, eye, np.full(3, 240.0))
        canvas.ellipse(at + turn / 2, -0.05, eye * 0.8, eye * 0.8, iris)
        canvas.ellipse(at + turn / 2, -0.05, eye * 0.4, eye * 0.4, np.full(3, 10.0))
        canvas.ellipse(at, -0.05 - 2 * eye, eye * 1.8, eye * 0.35, hair)
    canvas.ellipse(turn * 1.5, 0.06, 0.025, 0.06, skin * 0.85)
    canvas.ellipse(turn, 0.18, mouth, 0.02 + smile, np.array((170.0, 60.0, 70.0)), arc=180)
    for across, below in freckles:
        canvas.ellipse(across + turn, 0.05 + abs(below) / 2, 0.006, 0.006, skin * 0.7)
    return cv2.resize(canvas.pixels, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def write_synthetic_index(folder: Path, people: int = 12, portraits: int = 5, size: int = 128) -> Path:
    """Draw people into `folder`, index them, the last quarter of them for testing, and give the index's path.

    What is already there is not drawn again.

    Raises:
        ValueError: If there would be nobody to train on or to test on.
    """
    if people < 2 or portraits < 2:
        raise ValueError(f"Exemplar sets need two people of two portraits at least, got {people} of {portraits}.")
    index = folder / f"people{people}-portraits{portraits}-size{size}.parquet"
    if index.is_file():
        return index
    rows = []
    for person in range(people):
        name = f"person{person:03d}"
        (folder / name).mkdir(parents=True, exist_ok=True)
        for portrait in range(portraits):
            path = f"{name}/{portrait}-{size}.png"
            with replacing(folder / path) as temporary:
                cv2.imwrite(str(temporary), draw_portrait(person, portrait, size)[..., ::-1])
            split: Split = "test" if person >= people - max(1, people // 4) else "train"
            rows.append(Photograph(path, None, 0, (folder / path).stat().st_size, name, split, size, size))
    ExemplarIndex(folder, tuple(rows), source="synthetic", note="drawn, not photographed").write(index)
    return index
