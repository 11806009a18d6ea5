"""Views of photographs: turned, scaled, mirrored and tilted, with the faces where they are then."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from faceops.geometry.landmarks import MIRRORED
from portraitdata.face_finding.picture_bank import BankedPicture

OUTLINE = 24
"""Points of the ellipse in a face's box whose bounds are its box after any turn."""

SEEN = 0.75
"""Share of a face's outline inside the view from which on it is a face."""

LEAST_SIZE = 6.0
"""Root of a face's area in pixels from which on it is a face."""

Matrix = Float[np.ndarray, "3 3"]
"""Homography of points (x, y, 1), pixel centres at integers."""


Point = tuple[float, float]
"""Values to the right and downwards."""


class View(NamedTuple):
    """A piece of a scene."""

    image: UInt8[np.ndarray, "h w 3"]
    boxes: Float[np.ndarray, "n 4"]
    landmarks: Float[np.ndarray, "n 5 2"]
    sure: Bool[np.ndarray, " n"]


def view_matrix(focus: Point, middle: Point, scale: float, roll: float, tilt: Point = (0.0, 0.0)) -> Matrix:
    """Homography that shows one point of a photograph at another.

    Args:
        focus: Point of the photograph.
        middle: Where it is shown.
        scale: Pixels of the view for each pixel of the photograph.
        roll: Turn in radians, to the right.
        tilt: How fast the scale changes to the right and downwards, per pixel of the photograph.

    Example:
        >>> matrix = view_matrix((10.0, 20.0), (5.0, 5.0), 2.0, np.pi / 2)
        >>> moved(matrix, np.array([[10.0, 20.0], [11.0, 20.0]])).round(6).tolist()
        [[5.0, 5.0], [5.0, 7.0]]
    """
    cosine, sine = scale * np.cos(roll), scale * np.sin(roll)
    away = np.array([[1.0, 0.0, -focus[0]], [0.0, 1.0, -focus[1]], [0.0, 0.0, 1.0]])
    tilted = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [tilt[0], tilt[1], 1.0]])
    placed = np.array([[cosine, -sine, middle[0]], [sine, cosine, middle[1]], [0.0, 0.0, 1.0]])
    return placed @ tilted @ away


def moved(matrix: Matrix, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
    """Points by a homography."""
    ones = np.ones((*points.shape[:-1], 1))
    found = np.concatenate([points, ones], axis=-1) @ matrix.T
    return found[..., :2] / found[..., 2:]


def outlines(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n k 2"]:
    """Points of the ellipses in boxes."""
    angle = np.arange(OUTLINE) * 2 * np.pi / OUTLINE
    middle, half = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2, (boxes[:, None, 2:] - boxes[:, None, :2]) / 2
    return middle + half * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def seen_through(
    picture: BankedPicture, matrix: Matrix, size: tuple[int, int], mirror: bool, border: tuple[int, int, int] | None
) -> View:
    """View of a photograph.

    Args:
        matrix: From the photograph to the view, before it is mirrored.
        size: Height and width.
        mirror: Mirror the view.
        border: Colour beyond the photograph; its edge goes on if None.
    """
    scale = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    which = int(np.clip(np.floor(np.log2(1 / max(scale, 1e-6))), 0, len(picture.copies) - 1))
    copy = picture.copies[which]
    full = picture.copies[0]
    factor = np.array([full.shape[1] / copy.shape[1], full.shape[0] / copy.shape[0]])
    grown = np.array([[factor[0], 0, factor[0] / 2 - 0.5], [0, factor[1], factor[1] / 2 - 0.5], [0, 0, 1.0]])
    image = cv2.warpPerspective(
        copy,
        matrix @ grown,
        size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT,
        borderValue=border or (0, 0, 0),
    )
    outline, landmarks = moved(matrix, outlines(picture.boxes)), moved(matrix, picture.landmarks)
    if mirror:
        image = np.ascontiguousarray(image[:, ::-1])
        outline = outline * [-1, 1] + [size[1] - 1, 0]
        landmarks = landmarks[:, MIRRORED] * [-1, 1] + [size[1] - 1, 0]
    return with_visible(image, outline, landmarks, picture.sure)


def with_visible(
    image: UInt8[np.ndarray, "h w 3"],
    outline: Float[np.ndarray, "n k 2"],
    landmarks: Float[np.ndarray, "n 5 2"],
    sure: Bool[np.ndarray, " n"],
) -> View:
    """View with the faces of which something is seen; little of one, or a tiny one, is not sure."""
    last = np.array([image.shape[1] - 1, image.shape[0] - 1])
    inside = ((outline >= 0) & (outline <= last)).all(axis=-1).mean(axis=1)
    boxes = np.concatenate([outline.min(axis=1), outline.max(axis=1)], axis=1)
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    covers = (boxes[:, :2] < last).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    known = sure & (inside >= SEEN) & (size >= LEAST_SIZE)
    return View(image, boxes[covers], landmarks[covers], known[covers])
