"""Windows of the photographs of a portrait index, and faces aligned out of them, as 8-bit sRGB."""

import math
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from faceops.geometry.alignment import crop_faces
from faceops.geometry.similarity import apply, compose, invert, resized, scale_of
from faceops.geometry.warping import REDUCTION_LIMIT
from faceops.images.decoding import Raster
from faceops.images.errors import ImageFileError
from faceops.images.files import srgb_bytes, srgb_rows
from portraitdata.exemplars.photograph_crops import CORRUPT, CorruptPhotograph, decoded_photograph
from portraitdata.loading.shared_array import SharedArray
from portraitdata.restoration.batches import REFERENCE_SIZE
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.pixel_cache import PixelCache
from portraitdata.restoration.view import View

MARGIN = 3
"""Blocks of pixels around the part of a photograph that an aligned face is sampled from."""


class PhotographWindows:
    """Reads what a restorer is trained on out of photographs; remembers which of them cannot be decoded.

    Args:
        cache: Keeps decoded photographs and aligned faces; None decodes every time.
    """

    def __init__(self, index: PortraitIndex, cache: PixelCache | None = None) -> None:
        self.index, self._cache = index, cache
        self._state = SharedArray(len(index))

    def view(self, number: int, view: View) -> UInt8[np.ndarray, "3 s s"]:
        """The window of a photograph at the size of the view, see `viewed`.

        Raises:
            ImageFileError: If the photograph cannot be decoded or has changed since it was indexed.
        """
        return viewed(self._decoded(number), view)

    def aligned_face(
        self, face: int, flipped: bool, size: int = REFERENCE_SIZE
    ) -> UInt8[np.ndarray, "3 {size} {size}"]:
        """A face of the index aligned to FFHQ at 512 pixels by the stored matrix, low-passed where it is reduced.

        Args:
            size: Side of the result in pixels, a divisor of 512; the mean over blocks of the face at 512 pixels.

        Raises:
            ImageFileError: If its photograph cannot be decoded or has changed since it was indexed.
        """
        if self._cache is None:
            samples = mean_reduced(self._aligned(face), size)
        else:
            # By its matrix, since another index may number the faces of the same photographs otherwise.
            key = *self._place(self.index.photograph_of(face)), self.index.matrix(face).tobytes(), size
            samples = self._cache.get(key, lambda: mean_reduced(self._aligned(face), size))
        return np.ascontiguousarray(samples[..., ::-1]) if flipped else samples.copy()

    def _aligned(self, face: int) -> UInt8[np.ndarray, "3 512 512"]:
        raster = self._decoded(self.index.photograph_of(face))
        height, width = raster.samples.shape[:2]
        matrix = torch.from_numpy(self.index.matrix(face)).unsqueeze(0)
        # Only a part of a large photograph is made floats of, and only after the halvings that `warp_affine` begins
        # with: on bytes they cost a tenth.
        factor = 2 ** _halvings(1 / scale_of(matrix).item())
        left, top, right, bottom = _needed(matrix, factor)
        part = srgb_bytes(raster, top, left, min(bottom, height) - top, min(right, width) - left)
        shift = torch.tensor([[[1.0, 0.0, left], [0.0, 1.0, top]]], dtype=torch.float64)
        reduced = compose(compose(matrix, shift), resized(float(factor)))
        pixels = torch.from_numpy(_block_means(part, factor)).float().unsqueeze(0) / 255
        crop = crop_faces(pixels, reduced, size=REFERENCE_SIZE).crops[0]
        return crop.mul(255).round().clamp(0, 255).to(torch.uint8).numpy()

    def view_or_warn(self, number: int, view: View) -> NDArray[np.uint8] | None:
        """As `view`, but None for a photograph that cannot be decoded, with one warning for it in all workers."""
        return self._or_warn(number, lambda: self.view(number, view))

    def aligned_face_or_warn(self, face: int, flipped: bool, size: int = REFERENCE_SIZE) -> NDArray[np.uint8] | None:
        """As `aligned_face`, but None where it cannot be decoded, with one warning in all workers."""
        return self._or_warn(self.index.photograph_of(face), lambda: self.aligned_face(face, flipped, size))

    @property
    def corrupt(self) -> list[str]:
        """Paths of the photographs that could not be decoded so far, by any worker."""
        return [self.index.photograph(number).path for number in np.flatnonzero(self._state.values == CORRUPT).tolist()]

    def _or_warn(self, number: int, read: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
        if self._state.values[number] == CORRUPT:
            return None
        try:
            return read()
        except (ImageFileError, OSError) as error:
            self._state.values[number] = CORRUPT
            count = int((self._state.values == CORRUPT).sum())
            warning = f"Another photograph takes the place of a corrupt one ({count} so far): {error}"
            warnings.warn(CorruptPhotograph(warning), stacklevel=3)
            return None

    def _decoded(self, number: int) -> Raster:
        if self._cache is None:
            return self._read(number)
        samples = self._cache.get(self._place(number), lambda: self._srgb(number))
        return Raster(samples, grey=False, cmyk=False, icc_profile=None, exif=None)

    def _place(self, number: int) -> tuple[str, ...]:
        row = self.index.photograph(number)
        return str(self.index.root), row.archive or "", row.path

    def _srgb(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        raster = self._read(number)
        height, width = raster.samples.shape[:2]
        return np.ascontiguousarray(srgb_bytes(raster, 0, 0, height, width).transpose(1, 2, 0))

    def _read(self, number: int) -> Raster:
        return decoded_photograph(self.index.read_bytes(number), self.index.photograph(number))


def viewed(raster: Raster, view: View) -> UInt8[np.ndarray, "3 s s"]:
    """The window of a decoded photograph at the size of the view.

    Reduced with torch's antialiased bicubic on bytes: within two levels of MATLAB's except for the three pixels at the
    border, and eighty times as fast as the matrices of `portraitdata.images.resampling` at 12 megapixels.
    """
    top, left, side = view.window
    rows = srgb_rows(raster, top, left, side, side)
    if side != view.size:
        # Channels last: the same bytes as of planes, five times as fast.
        window = torch.from_numpy(rows.copy()).permute(2, 0, 1).unsqueeze(0)
        resized = F.interpolate(window, (view.size, view.size), mode="bicubic", antialias=True)
        rows = resized[0].permute(1, 2, 0).numpy()
    pixels = rows.transpose(2, 0, 1)
    return (pixels[..., ::-1] if view.flipped else pixels).copy()


def checked_reference_size(size: int) -> int:
    """A side that references can have, in pixels; ValueError if it is no divisor of `REFERENCE_SIZE`."""
    if size < 1 or REFERENCE_SIZE % size:
        raise ValueError(f"References have a side that divides {REFERENCE_SIZE} pixels, got {size}.")
    return size


def mean_reduced(pixels: UInt8[np.ndarray, "3 s s"], size: int) -> UInt8[np.ndarray, "3 {size} {size}"]:
    """A square picture reduced by the mean over blocks.

    Raises:
        ValueError: If `size` is no divisor of the side.

    Example:
        >>> mean_reduced(np.arange(4, dtype=np.uint8).reshape(1, 2, 2).repeat(3, axis=0), 1).tolist()
        [[[2]], [[2]], [[2]]]
    """
    if size < 1 or pixels.shape[-1] % size:
        raise ValueError(f"A face of {pixels.shape[-1]} pixels is reduced to a divisor of that, got {size}.")
    return _block_means(pixels, pixels.shape[-1] // size)


def _halvings(reduction: float) -> int:
    return math.floor(math.log2(reduction / REDUCTION_LIMIT)) if reduction > REDUCTION_LIMIT else 0


def _needed(matrix: Tensor, factor: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of a photograph that an aligned face is sampled from.

    The blocks that means are taken of begin where those of the whole photograph would.
    """
    last = REFERENCE_SIZE - 1.0
    corners = torch.tensor([[[0, 0], [last, 0], [0, last], [last, last]]], dtype=torch.float64)
    quad = apply(invert(matrix), corners)[0]
    left, top = (max(0, math.floor(edge) // factor - MARGIN) * factor for edge in quad.amin(dim=0).tolist())
    right, bottom = (math.ceil(edge) + (MARGIN + 1) * factor for edge in quad.amax(dim=0).tolist())
    return left, top, right, bottom


def _block_means(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means of blocks of `factor` x `factor` pixels; what the last ones lack at the right and below is repeated."""
    if factor == 1:
        return pixels
    height, width = (math.ceil(side / factor) for side in pixels.shape[1:])
    beyond = (0, 0), (0, height * factor - pixels.shape[1]), (0, width * factor - pixels.shape[2])
    whole = np.pad(pixels, beyond, mode="edge")
    means = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in whole]
    return np.stack(means).astype(np.uint8)
