"""Whether landmarks follow an expression: people photographed neutral and smiling, reduced, and told apart again.

Needs the folder that PORTRAIT_ASSETS points to: `images/portraits/london_ccby4`, `weights/detect/`. Of every person the
corners of the mouth in a reduced photograph are compared with those of the neutral and of the smiling one at full
size, seen by the same detector; faces are brought to one another by a similarity.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.faces.any_turn import HELD_OUT
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell, Suite, Table
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply, least_squares_similarity
from faceops.images.files import load_picture
from portraitdata.images.resampling import bicubic

FULL = 500
"""Side of the compared photographs, in pixels; faces are larger than any close-up needs."""

REDUCED = (300, 100)
"""Sides of those that are to be told apart."""

EXPRESSIONS = ("neutral", "smiling")


class Mouth(NamedTuple):
    """Corners of a mouth in each photograph, placed by all landmarks, in distances of the eyes."""

    full: dict[str, Tensor]
    reduced: dict[tuple[str, int], Tensor]


def measure(suite: Suite) -> list[Table]:
    """One table.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    folder = photographs()
    weights = folder / "weights/detect"
    detectors: Mapping[str, Detector] = {
        "any-turn without exact landmarks": build_detector("any-turn", refine=False),
        "any-turn": build_detector("any-turn"),
        "YuNet": build_detector("yunet", weights / "yunet_n_640_640.onnx", turned=False),
        "RetinaFace": build_detector("retinaface", weights / "retinaface_mobilenet0.25_Final.pth", turned=False),
    }
    people = held_out_people()
    london = folder / "images/portraits/london_ccby4"
    seen = {name: [mouth(detector, london, person) for person in people] for name, detector in detectors.items()}
    rows = [row(name, mouths, seen["YuNet"]) for name, mouths in seen.items()]
    cases = len(people) * len(EXPRESSIONS) * len(REDUCED)
    columns = ("detector", f"right of {cases}", "moves, of YuNet's", "off YuNet's, %")
    title = f"Corners of the mouth tell a smile from none: {len(people)} people"
    return [Table("faceops_exact_landmarks", title, columns, tuple(rows), columns[1:2], "cases", logarithmic=False)]


def held_out_people() -> list[str]:
    """People of the London set whom nothing was trained on, both of whose photographs are held out."""
    names = [Path(name).stem for name in HELD_OUT.read_text().split() if "london" in name]
    people = sorted({name.split("_")[0] for name in names})
    return [person for person in people if all(f"{person}_{expression}" in names for expression in EXPRESSIONS)]


def mouth(detector: Detector, folder: Path, person: str) -> Mouth:
    """What a detector sees of a person."""
    pictures = {name: load_picture(folder / f"{person}_{name}.jpg").pixels for name in EXPRESSIONS}
    full = {name: corners(detector, bicubic(pixels, FULL, FULL)) for name, pixels in pictures.items()}
    reduced = {
        (name, side): corners(detector, bicubic(pixels, side, side))
        for name, pixels in pictures.items()
        for side in REDUCED
    }
    return Mouth(full, reduced)


def corners(detector: Detector, image: Tensor) -> Tensor:
    """Corners of the mouth of the largest face."""
    found = detector(image.clamp(0, 1)[None]).largest().landmarks
    template = FFHQ_512.tensor().to(found)
    return apply(least_squares_similarity(found, template), found)[0, 3:] / FFHQ_512.eye_distance()


def row(name: str, mouths: list[Mouth], others: list[Mouth]) -> tuple[Cell, ...]:
    """Cases told right, the move from neutral to smiling along that of another detector, and the distance from it."""
    right = sum(told(mouth) for mouth in mouths)
    own, other = (torch.stack([m.full["smiling"] - m.full["neutral"] for m in some]) for some in (mouths, others))
    off = mean(
        (mouth.full[name] - other.full[name]).norm(dim=1).mean().item()
        for mouth, other in zip(mouths, others, strict=True)
        for name in EXPRESSIONS
    )
    return name, right, ((own * other).sum() / other.square().sum()).item(), 100 * off


def told(mouth: Mouth) -> int:
    """Reduced photographs that are nearer to the one they were made of."""

    def distance(one: Tensor, other: Tensor) -> float:
        return (one - other).norm(dim=1).sum().item()

    return sum(
        all(
            distance(seen, mouth.full[name]) < distance(seen, mouth.full[other])
            for other in EXPRESSIONS
            if other != name
        )
        for (name, _), seen in mouth.reduced.items()
    )
