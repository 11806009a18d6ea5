"""Squares cut from the photographs of an index, resized and kept."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceops.images.decoding import Raster, decode_raster
from faceops.images.errors import DamagedImageError, ImageFileError
from faceops.images.files import srgb_bytes
from portraitdata.exemplars.index import ExemplarIndex, Photograph
from portraitdata.images.resampling import bicubic
from portraitdata.loading.shared_array import SharedArray

UNSEEN, CACHED, CORRUPT = 0, 1, 2
"""Facts of a photograph."""


class CorruptPhotograph(UserWarning):
    """A photograph that could not be decoded and was replaced."""


class Square(NamedTuple):
    """A square window of a photograph, in pixels."""

    top: int
    left: int
    side: int


def decoded_photograph(data: bytes, row: Photograph) -> Raster:
    """The pixels of a photograph; ImageFileError if it cannot be decoded or has changed since it was indexed."""
    raster = decode_raster(data, row.path)
    if raster.samples.shape[:2] != (row.height, row.width):
        found = f"{raster.samples.shape[1]} x {raster.samples.shape[0]}"
        raise DamagedImageError(
            f"{row.path} has {found} pixels, {row.width} x {row.height} when it was indexed; index it again."
        )
    return raster


def centred_square(height: int, width: int, crop: int | None, down: int = 0, right: int = 0) -> Square:
    """The centred square of a photograph, shifted as far as the photograph goes.

    Args:
        crop: Side of the square, in pixels; None, or more than the photograph has, for the largest one.

    Example:
        >>> centred_square(250, 200, 128, down=-300, right=5)
        Square(top=0, left=41, side=128)
    """
    side = min(height, width) if crop is None else min(height, width, crop)
    top = (height - side) // 2 + down
    left = (width - side) // 2 + right
    return Square(min(max(top, 0), height - side), min(max(left, 0), width - side), side)


class PhotographCrops:
    """Centred squares of photographs as 8-bit sRGB.

    Args:
        photographs: The photographs, by whose position a square is asked for.
        crop: Side of the square cut from a photograph, in pixels; None for the largest one.
        jitter: Largest shift that will be asked for, in pixels of the photograph.
        cache: Whether decoded squares are kept in memory, shared by all worker processes.

    Raises:
        ValueError: If a number is out of range.
        MemoryError: If the cache does not fit.
    """

    def __init__(
        self,
        index: ExemplarIndex,
        photographs: Sequence[Photograph],
        size: int,
        crop: int | None,
        jitter: int = 0,
        cache: bool = False,
    ) -> None:
        if size < 1 or (crop is not None and crop < 1) or jitter < 0:
            raise ValueError(f"Sizes count pixels, got size {size}, crop {crop}, jitter {jitter}.")
        if jitter and crop is None:
            raise ValueError("Jitter shifts a crop within the photograph: give the side of the crop, in pixels.")
        self.index, self.photographs = index, photographs
        self.size, self.crop, self.jitter = size, crop, jitter
        self._state = SharedArray(len(photographs))
        # Shifted squares are cut anew from a window with a margin; without shifts the finished square is kept.
        side = size if crop is None or not jitter else crop + 2 * jitter
        self._kept = SharedArray(len(photographs), 3, side, side) if cache else None

    def read(self, number: int, down: int = 0, right: int = 0) -> NDArray[np.uint8]:
        """Square of photograph `number`, shifted by up to `jitter` pixels: (3, size, size), not to be written to.

        Raises:
            ImageFileError: If the photograph cannot be decoded or has changed since it was indexed.
        """
        row = self.photographs[number]
        square = centred_square(row.height, row.width, self.crop, down, right)
        if self._kept is None:
            return self._resized(self._decoded(row, square.top, square.left, square.side, square.side))
        if not self.jitter:
            if self._state.values[number] != CACHED:
                window = self._decoded(row, square.top, square.left, square.side, square.side)
                self._keep(number, self._resized(window))
            return self._kept.values[number]
        first = centred_square(row.height, row.width, self.crop, -self.jitter, -self.jitter)
        if self._state.values[number] != CACHED:
            last = centred_square(row.height, row.width, self.crop, self.jitter, self.jitter)
            height, width = last.top - first.top + last.side, last.left - first.left + last.side
            self._keep(number, self._decoded(row, first.top, first.left, height, width))
        top, left = square.top - first.top, square.left - first.left
        return self._resized(self._kept.values[number, :, top : top + square.side, left : left + square.side])

    def read_or_warn(self, number: int, down: int = 0, right: int = 0) -> NDArray[np.uint8] | None:
        """As `read`, but None for a photograph that cannot be decoded, with one warning for it in all workers."""
        if self._state.values[number] == CORRUPT:
            return None
        try:
            return self.read(number, down, right)
        except (ImageFileError, OSError) as error:
            self._state.values[number] = CORRUPT
            warnings.warn(
                CorruptPhotograph(f"Another photograph takes the place of a corrupt one: {error}"), stacklevel=2
            )
            return None

    @property
    def corrupt(self) -> list[str]:
        """Paths of the photographs that could not be decoded so far, by any worker."""
        return [self.photographs[number].path for number in np.flatnonzero(self._state.values == CORRUPT).tolist()]

    def _decoded(self, row: Photograph, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        return srgb_bytes(decoded_photograph(self.index.read_bytes(row), row), top, left, height, width)

    def _resized(self, square: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if square.shape[-1] == self.size:
            return square
        resized = bicubic(torch.from_numpy(square).float(), self.size, self.size)
        return resized.round().clamp(0, 255).to(torch.uint8).numpy()

    def _keep(self, number: int, window: NDArray[np.uint8]) -> None:
        assert self._kept is not None
        self._kept.values[number, :, : window.shape[1], : window.shape[2]] = window
        self._state.values[number] = CACHED
