"""Labelled photographs in memory, at several sizes, to be drawn small without aliasing."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from faceops.images.files import load_picture
from portraitdata.face_finding.labels import LabelledPicture

LARGEST_FACE = 320.0
"""Longer side to which the largest face of a photograph is reduced, in pixels: scenes show no larger ones."""

LARGEST_SIDE = 640.0
"""Longer side to which a photograph is reduced at least."""

SMALLEST_SIDE = 48
"""Shorter side of the smallest copy."""


@dataclass(frozen=True, eq=False)
class BankedPicture:
    """A photograph at its full, half, quarter ... size, and its faces at full size."""

    copies: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    """BGR, as OpenCV has it."""
    boxes: Float[np.ndarray, "n 4"]
    landmarks: Float[np.ndarray, "n 5 2"]
    sure: Bool[np.ndarray, " n"]


def banked(label: LabelledPicture) -> BankedPicture:
    """Read a photograph."""
    samples = load_picture(label.file).pixels.mul(255).round().byte().permute(1, 2, 0).numpy()
    image = np.ascontiguousarray(samples[:, :, ::-1])
    boxes, landmarks = label.boxes.double().numpy(), label.landmarks.double().numpy()
    sides = boxes[label.sure.numpy(), 2:] - boxes[label.sure.numpy(), :2]
    scale = min(1.0, LARGEST_SIDE / max(image.shape), LARGEST_FACE / max(1.0, sides.max(initial=0.0)))
    height, width = image.shape[:2]
    copies = [resized(image, (round(height * scale), round(width * scale)))]
    across, down = copies[0].shape[1] / width, copies[0].shape[0] / height
    while min(copies[-1].shape[:2]) >= 2 * SMALLEST_SIDE:
        copies.append(resized(copies[-1], (copies[-1].shape[0] // 2, copies[-1].shape[1] // 2)))
    factor = np.array([across, down])
    corners = (boxes.reshape(-1, 2, 2) + 0.5) * factor - 0.5
    return BankedPicture(
        tuple(copies), corners.reshape(-1, 4), (landmarks + 0.5) * factor - 0.5, label.sure.numpy().copy()
    )


def bank(labels: Sequence[LabelledPicture]) -> list[BankedPicture]:
    """Read photographs."""
    return [banked(label) for label in labels]


def resized(image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Copy of another size, the mean over the area of each pixel."""
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
