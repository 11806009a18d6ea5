"""Face detection on real portraits: recall, and how exact the landmarks are.

Needs the folder that PORTRAIT_ASSETS points to: `images/portraits/`, `images/lfw_min4_max10.tar` and `.csv`,
`weights/detect/`. The pupils of 28 portraits are marked by hand (`.tem`); the landmarks of LFW are from the csv, which
holds what YuNet says of the pictures as they are.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from benchmarks.faces.lfw_pictures import lfw_pictures
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Suite, Table
from faceops.detection.detector import Detector
from faceops.detection.detector_names import DetectorName
from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture
from faceops.images.picture_files import find_pictures

LFW_IMAGES = 300
WEIGHTS: dict[DetectorName, str] = {"yunet": "yunet_n_640_640.onnx", "retinaface": "retinaface_mobilenet0.25_Final.pth"}
FEW = 20
"""Half the side of a square around the known nose in which a face's nose must lie to be it, in % of the picture."""


@dataclass
class Score:
    """What a detector did on some pictures."""

    found: int = 0
    others: int = 0
    """Faces beside the one that is known to be there."""
    seconds: float = 0.0
    landmarks: dict[str, Tensor] = field(default_factory=dict)
    """Of the largest face by picture."""
    pupils: list[float] = field(default_factory=list)
    """Distance of the eyes from those marked, in % of the eye distance."""


def measure(suite: Suite) -> list[Table]:
    """Recall and exactness of every detector, with and without close-ups.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    folder = photographs()
    detectors = {
        f"{name}{', close-ups' if refine else ''}": build_detector(
            name, folder / "weights/detect" / file, refine=refine
        )
        for name, file in WEIGHTS.items()
        for refine in (False, True)
    }
    detectors["any-turn"] = build_detector("any-turn")
    return [portraits_table(folder / "images/portraits", detectors), lfw_table(folder / "images", detectors)]


def portraits_table(folder: Path, detectors: dict[str, Detector]) -> Table:
    """All portraits, one person each."""
    files = [file for source in sorted(folder.iterdir()) for file in find_pictures(source)]
    scores = {name: Score() for name in detectors}
    for file in files:
        image = load_picture(file).pixels.unsqueeze(0)
        marked = marked_pupils(file) if file.parent.name.startswith("london") else None
        for name, detector in detectors.items():
            judge(scores[name], detector, image, str(file), marked)
    pairs = {
        kind: apart(scores[f"yunet{kind}"].landmarks, scores[f"retinaface{kind}"].landmarks)
        for kind in ("", ", close-ups")
    }
    rows = tuple(
        (
            name,
            score.found,
            score.others,
            median(score.pupils),
            "" if name == "any-turn" else pairs[", close-ups" if "close-ups" in name else ""],
            1e3 * score.seconds / len(files),
        )
        for name, score in scores.items()
    )
    columns = ("detector", "found", "others", "off pupils %", "yunet to retinaface %", "CPU ms")
    title = f"Faces in {len(files)} portraits; medians in % of the eye distance, pupils marked by hand in 28"
    note = "any-turn and its landmarks were trained on most of these people, though not on what is marked."
    measured = ("off pupils %", "yunet to retinaface %")
    return Table("face_detection_portraits", title, columns, rows, measured, "%", note=note)


def lfw_table(folder: Path, detectors: dict[str, Detector]) -> Table:
    """Pictures of LFW, 250 x 250 pixels, evenly taken from the csv."""
    scores = {name: Score() for name in detectors}
    distances: dict[str, list[float]] = {name: [] for name in detectors}
    for image, known in lfw_pictures(folder, LFW_IMAGES):
        for name, detector in detectors.items():
            start = time.process_time()
            faces = detector(image)
            scores[name].seconds += time.process_time() - start
            nose = faces.landmarks[:, 2] - known[2]
            same = nose.abs().amax(dim=1) < image.shape[-1] * FEW / 100
            scores[name].found += bool(same.any())
            scores[name].others += int((~same).sum())
            if same.any():
                distances[name].append(relative_error(faces.select(same).largest().landmarks[0], known))
    rows = tuple(
        (name, score.found, score.others, median(distances[name]), 1e3 * score.seconds / LFW_IMAGES)
        for name, score in scores.items()
    )
    columns = ("detector", "found", "others", "off the csv %", "CPU ms")
    title = f"Faces in {LFW_IMAGES} pictures of LFW; medians in % of the eye distance"
    return Table("face_detection_lfw", title, columns, rows, ("off the csv %",), "%")


def judge(score: Score, detector: Detector, image: Tensor, name: str, marked: Tensor | None) -> None:
    """Add one portrait."""
    start = time.process_time()
    faces: Faces = detector(image)
    score.seconds += time.process_time() - start
    if not len(faces):
        return
    score.found += 1
    score.others += len(faces) - 1
    landmarks = faces.largest().landmarks[0]
    score.landmarks[name] = landmarks
    if marked is not None:
        score.pupils.append(relative_error(landmarks[:2], marked))


def relative_error(points: Tensor, known: Tensor) -> float:
    """Mean distance of points, in % of the distance of the first two known ones, the eyes."""
    return 100 * ((points - known).norm(dim=1).mean() / (known[1] - known[0]).norm()).item()


def apart(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Median over pictures of how far the landmarks of two detectors are apart."""
    return median(relative_error(first[name], second[name]) for name in first.keys() & second.keys())


def marked_pupils(file: Path) -> Tensor | None:
    """The first two points of the template beside a portrait, left one first; None if there is no template."""
    template = file.with_suffix(".tem")
    if not template.exists():
        return None
    words = [line.split() for line in template.read_text().splitlines()]
    points = [[float(x), float(y)] for x, y in (pair for pair in words if len(pair) == 2)][:2]
    return torch.tensor(sorted(points))
