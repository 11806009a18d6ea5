"""Drawn portraits with known faces, indexed: for smoke runs and tests where there are no photographs."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from faceops.geometry.alignment import alignment_matrix
from faceops.images.files import Picture, save_picture
from portraitdata.exemplars.index import Split
from portraitdata.exemplars.synthetic_portraits import draw_portrait
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import FACES, IMAGES, PAIRS, face_name

CANVAS = 1.25, 1.5
"""Height and width of a picture in sides of the portrait in it."""


def synthetic_landmarks(person: int, portrait: int, size: int) -> NDArray[np.float64]:
    """Where `draw_portrait` puts pupils, nose and corners of the mouth, and the box of the face: (7, 2) in pixels.

    The last two rows are the left top and the right bottom corner of the box.
    """
    features = np.random.default_rng((0, person))
    features.uniform(size=12)  # colours
    breadth, chin, gap, _, mouth = features.uniform(
        (0.26, 0.34, 0.11, 0.03, 0.08), (0.33, 0.42, 0.15, 0.05, 0.14)
    ).tolist()
    pose = np.random.default_rng((1, person, portrait))
    right, down, turn = pose.uniform((0.45, 0.45, -0.04), (0.55, 0.55, 0.04)).tolist()
    eyes = (1.5 * turn - gap, -0.05), (1.5 * turn + gap, -0.05)
    rest = (
        (turn * 1.5, 0.06),
        (turn - mouth, 0.18),
        (turn + mouth, 0.18),
        (-breadth, 0.02 - chin),
        (breadth, 0.02 + chin),
    )
    return (np.array([*eyes, *rest]) + np.array([right, down])) * size - 0.5


def draw_scene(person: int, portrait: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A portrait somewhere on a larger, patterned picture, sRGB (h, w, 3), and its points as `synthetic_landmarks`."""
    random = np.random.default_rng((2, person, portrait))
    height, width = (round(share * size) for share in CANVAS)
    coarse = random.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    scene = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    top, left = int(random.integers(height - size + 1)), int(random.integers(width - size + 1))
    scene[top : top + size, left : left + size] = draw_portrait(person, portrait, size)
    return scene, synthetic_landmarks(person, portrait, size) + np.array([left, top])


def write_synthetic_portrait_index(
    folder: Path, people: int = 8, portraits: int = 4, size: int = 128, suffix: str = ".png"
) -> Path:
    """Draw people into a folder, index them, the last quarter of them for testing, and give the index's folder.

    What is already there is not drawn again. Portraits of a person are pairs; their similarity is made up.

    Args:
        size: Side of a portrait in pixels; pictures are somewhat larger.

    Raises:
        ValueError: If there would be nobody to train on or to test on.
    """
    if people < 2 or portraits < 2:
        raise ValueError(f"Reference faces need two people of two portraits at least, got {people} of {portraits}.")
    output = folder / f"people{people}-portraits{portraits}-size{size}"
    if (output / "images.parquet").is_file():
        return output
    images, faces, pairs = [], [], []
    for person in range(people):
        split: Split = "test" if person >= people - max(1, people // 4) else "train"
        for portrait in range(portraits):
            scene, points = draw_scene(person, portrait, size)
            uid = f"person{person:03d}-{portrait}"
            path = folder / f"{uid}-{size}{suffix}"
            folder.mkdir(parents=True, exist_ok=True)
            save_picture(Picture(torch.from_numpy(scene).permute(2, 0, 1) / 255), path)
            place = {"path": path.name, "archive": None, "offset": 0, "size": path.stat().st_size}
            shape = {"width": scene.shape[1], "height": scene.shape[0]}
            prompt = f"a drawing of person {person}"
            images.append({"uid": uid, **place, **shape, "split": split, "prompt": prompt})
            faces.append(face_row(uid, points))
            for other in range(portrait):
                cosine = 0.9 - 0.2 * (portrait - other) / portraits
                names = face_name(f"person{person:03d}-{other}", 0), face_name(uid, 0)
                pairs.append({"face_a": names[0], "face_b": names[1], "cosine": cosine})
    schema = IMAGES.append(pa.field("prompt", pa.string()))
    PortraitIndex(
        folder,
        pa.Table.from_pylist(images, schema),
        pa.Table.from_pylist(faces, FACES),
        pa.Table.from_pylist(pairs, PAIRS),
        note="drawn, not photographed",
    ).write(output)
    return output


def face_row(uid: str, points: NDArray[np.float64]) -> dict[str, Any]:
    """Row of the only face of a drawn portrait.

    Args:
        points: Five landmarks and two corners of the box, in pixels.
    """
    landmarks = points[:5]
    return {
        "uid": uid,
        "number": 0,
        "box": points[5:].ravel().tolist(),
        "score": 1.0,
        "landmarks": landmarks.ravel().tolist(),
        "eye_distance": float(np.linalg.norm(landmarks[1] - landmarks[0])),
        "matrix": alignment_matrix(torch.from_numpy(landmarks).unsqueeze(0)).flatten().tolist(),
    }
