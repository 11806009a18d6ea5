"""Self-exemplars: warped copies of the target as references, at the start of a training.

A network that has never seen a useful reference learns to do without before it learns to align one: trained on real
exemplars alone, the small x8 network ignored them after thousands of steps (an exact copy of the target as reference
gained it 0.05 dB). A copy of the target is a reference that pays from the first step. Copies that start exact and are
then turned, scaled, shifted and relit ever more lead over to other photographs of the person.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KNOTS = 5
"""Knots of a bend along each side."""


@dataclass(frozen=True)
class SelfExemplars:
    """Share of references that are copies of the target, and their distance from it, over a training.

    Args:
        ramp: Sets over which the warps grow from nothing to their full range; the share of copies falls from `first`
            after half of them to `last` after twice as many.
        first: Share of references that are copies at the start.
        last: Share of references that stay copies.
        turn: Largest rotation, in degrees.
        zoom: Largest relative change of size.
        shift: Largest shift as a fraction of the side.
        gain: Largest relative change of contrast.
        bias: Largest change of brightness, of 255.
        bend: Standard deviation of a smooth displacement, as a fraction of the side; it stands for another expression.
        fill: Give copies in place of the photographs that a person does not have.

    Raises:
        ValueError: If a share is no probability or the ramp is empty.
    """

    ramp: int = 40_000
    first: float = 0.5
    last: float = 0.1
    turn: float = 12.0
    zoom: float = 0.15
    shift: float = 0.08
    gain: float = 0.2
    bias: float = 20.0
    bend: float = 0.0
    fill: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.last <= self.first <= 1):
            raise ValueError(f"Shares of copies fall from `first` to `last` in [0, 1], got {self.first}, {self.last}.")
        if self.ramp < 1:
            raise ValueError(f"The ramp of self-exemplars takes at least one set, got {self.ramp}.")

    def share(self, serial: int) -> float:
        """Share of references that are copies in set number `serial`.

        Example:
            >>> [round(SelfExemplars(ramp=100).share(serial), 2) for serial in (0, 50, 125, 200, 900)]
            [0.5, 0.5, 0.3, 0.1, 0.1]
        """
        return float(np.interp(serial / self.ramp, (0.5, 2.0), (self.first, self.last)))

    def draw(
        self, serial: int, references: int, random: np.random.Generator, others: int | None = None
    ) -> list["Warp | None"]:
        """A warp for each reference that is to be a copy, None for the others.

        Args:
            serial: Number of the set.
            references: References in it.
            random: Source of the draws.
            others: Other photographs that the person has; None for enough.
        """
        chosen = random.random(references) < self.share(serial)
        strength = min(1.0, serial / self.ramp) * random.random(references)
        amounts = random.uniform(-1, 1, (references, 6)) * strength[:, None]
        bends = [None] * references
        if self.bend:
            bends = list(random.normal(0, self.bend, (references, 2, KNOTS, KNOTS)) * strength[:, None, None, None])
        if self.fill and others is not None:
            chosen[others:] = True
        drawn = zip(amounts.tolist(), bends, chosen, strict=True)
        return [self._warp(row, bend) if copy else None for row, bend, copy in drawn]

    def _warp(self, amount: list[float], bend: NDArray[np.float64] | None) -> "Warp":
        turn, zoom, right, down, gain, bias = amount
        return Warp(
            self.turn * turn,
            1 + self.zoom * zoom,
            self.shift * right,
            self.shift * down,
            1 + self.gain * gain,
            self.bias * bias,
            bend,
        )


@dataclass(frozen=True)
class Warp:
    """A given change of an image.

    Args:
        turn: Rotation about the centre in degrees, anticlockwise.
        zoom: Magnification about the centre.
        right: Shift to the right, as a fraction of the side.
        down: Shift down, as a fraction of the side.
        gain: Factor of all values.
        bias: Added to all values, of 255.
        bend: Displacements (2, k, k), right and down, as fractions of the side, of knots spread over the image; between
            them it is bent smoothly. None for none.
    """

    turn: float = 0.0
    zoom: float = 1.0
    right: float = 0.0
    down: float = 0.0
    gain: float = 1.0
    bias: float = 0.0
    bend: NDArray[np.float64] | None = None

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Change a square image (3, s, s) of 0 to 255, bilinearly, mirrored at the border."""
        side = image.shape[-1]
        centre = (side - 1) / 2
        matrix = cv2.getRotationMatrix2D((centre, centre), self.turn, self.zoom)
        matrix[:, 2] += (self.right * side, self.down * side)
        rows = np.ascontiguousarray(image.transpose(1, 2, 0))
        warped = cv2.warpAffine(rows, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
        if self.bend is not None:
            warped = bent(warped, self.bend)
        relit = np.clip(np.rint(warped * np.float32(self.gain) + np.float32(self.bias)), 0, 255)
        return np.ascontiguousarray(relit.astype(np.uint8).transpose(2, 0, 1))


def bent(image: NDArray[np.uint8], bend: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Displace what a square image (s, s, 3) shows, bilinearly, mirrored at the border.

    Args:
        image: Values of 0 to 255.
        bend: Displacements (2, k, k), right and down, as fractions of the side.
    """
    side = len(image)
    right, down = (cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) * side for part in bend)
    y, x = np.mgrid[:side, :side]
    columns, lines = (x - right).astype(np.float32), (y - down).astype(np.float32)
    return cv2.remap(image, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
