"""An aligned face as another photograph might show it: turned, moved, mirrored, in other light and a little softer.

As reference for itself a face would be copied pixel by pixel; altered it has to be looked for.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from faceops.geometry.landmarks import FFHQ_512
from portraitdata.exemplars.self_exemplars import Warp


@dataclass(frozen=True)
class Alteration:
    """A given change of an aligned face.

    Args:
        gamma: Exponent on the values; below one is brighter.
        gain: Factors of red, green and blue, the colour of the light.
        blur: Standard deviation of a Gaussian, as a fraction of the side.
    """

    warp: Warp
    mirrored: bool
    gamma: float
    gain: tuple[float, float, float]
    blur: float

    def __call__(self, face: UInt8[np.ndarray, "3 s s"]) -> UInt8[np.ndarray, "3 s s"]:
        """The changed face; the given one is left as it is."""
        warped = self.warp(face)
        if self.mirrored:
            warped = warped[..., ::-1]
        levels = np.linspace(0, 1, 256) ** self.gamma * 255
        tables = [np.rint(levels * factor).clip(0, 255).astype(np.uint8) for factor in self.gain]
        lit = [table[plane] for table, plane in zip(tables, warped, strict=True)]
        sigma = self.blur * face.shape[-1]
        if sigma < MIN_SIGMA:
            return np.stack(lit)
        return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in lit])


MIN_SIGMA = 0.1
"""Blur in pixels that changes no level."""

TURN, SHIFT = 10.0, 0.08
"""Largest rotation in degrees, and largest shift as a fraction of the side, to both sides."""

ZOOM = (0.85, 1.15)
GAMMA = (0.75, 1.33)
LIGHT, TINT = (0.85, 1.15), (0.95, 1.05)
"""Factor of all three channels, and of each."""

BLUR = (0.0, 0.005)


def draw_alteration(random: np.random.Generator, size: float = 1.0) -> Alteration:
    """Draw a change; the same numbers are drawn whatever comes out.

    Args:
        size: Share of the largest change of place that may be drawn, and of the chance of a mirrored face.
    """
    turn, right, down = (size * random.uniform(-1, 1, 3)).tolist()
    zoom = 1 + size * (float(random.uniform(*ZOOM)) - 1)
    mirrored = bool(random.random() < 0.5 * size)
    gamma, light = (float(random.uniform(*span)) for span in (GAMMA, LIGHT))
    red, green, blue = (light * random.uniform(*TINT, 3)).tolist()
    warp = Warp(TURN * turn, zoom, SHIFT * right, SHIFT * down)
    return Alteration(warp, mirrored, gamma, (red, green, blue), float(random.uniform(*BLUR)))


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
