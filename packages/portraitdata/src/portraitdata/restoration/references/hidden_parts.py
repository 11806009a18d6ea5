"""Eyes or mouth of an aligned face painted over, so that a restorer does not rely on the reference for them."""

from typing import Literal

import numpy as np
from jaxtyping import UInt8

from faceops.geometry.landmarks import FFHQ_512

Part = Literal["eyes", "mouth"]

MARGINS: dict[Part, tuple[float, float, float]] = {"eyes": (0.45, 0.35, 0.3), "mouth": (0.3, 0.35, 0.45)}
"""Margins painted beside, above and below the two landmarks of a part, in distances of the eyes."""


def hidden_box(part: Part, size: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is painted over, in pixels of a face aligned to FFHQ; the ends are beyond.

    Example:
        >>> hidden_box("eyes", 512), hidden_box("mouth", 128)
        ((136, 196, 376, 278), (40, 81, 87, 107))
    """
    template = FFHQ_512.scaled(size)
    first, second = template.points[:2] if part == "eyes" else template.points[3:]
    beside, above, below = (margin * template.eye_distance() for margin in MARGINS[part])
    edges = first[0] - beside, first[1] - above, second[0] + beside, second[1] + below
    left, top, right, bottom = (min(max(round(edge), 0), size) for edge in edges)
    return left, top, right, bottom


def hidden(face: UInt8[np.ndarray, "3 s s"], part: Part) -> UInt8[np.ndarray, "3 s s"]:
    """A face aligned to FFHQ with a part of it in that part's mean colour; the given one is left as it is."""
    left, top, right, bottom = hidden_box(part, face.shape[-1])
    out = face.copy()
    window = out[:, top:bottom, left:right]
    window[:] = np.rint(window.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    return out
