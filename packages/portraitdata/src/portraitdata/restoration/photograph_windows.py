"""Windows of the photographs of a portrait index, and faces aligned out of them, as 8-bit sRGB."""

import math
import warnings

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from faceops.alignment import crop_faces
from faceops.image_decoding import Raster, decode_raster
from faceops.image_errors import DamagedImageError, ImageFileError
from faceops.images import srgb_bytes
from faceops.similarity import apply, compose, invert, resized, scale_of
from faceops.warping import REDUCTION_LIMIT
from portraitdata.photograph_crops import CORRUPT, CorruptPhotograph
from portraitdata.restoration.portrait_index import PortraitIndex
from portraitdata.restoration.view import View
from portraitdata.shared_array import SharedArray

REFERENCE_SIZE = 512
"""Side of an aligned reference face, in pixels (HeadsUp, Section C; FaceLib's size)."""

MARGIN = 3
"""Blocks of pixels around the part of a photograph that an aligned face is sampled from."""


class PhotographWindows:
    """Reads what a restorer is trained on out of photographs; remembers which of them cannot be decoded.

    Args:
        index: Portrait index.
    """

    def __init__(self, index: PortraitIndex) -> None:
        self.index = index
        self._state = SharedArray(len(index))

    def view(self, number: int, view: View) -> UInt8[np.ndarray, "3 s s"]:
        """The window of a photograph at the size of the view.

        Reduced with torch's antialiased bicubic on bytes: within two levels of MATLAB's except for the three pixels
        at the border, and eighty times as fast as the matrices of `portraitdata.resampling` at 12 megapixels.

        Raises:
            ImageFileError: If the photograph cannot be decoded or has changed since it was indexed.
            OSError: If it cannot be read.
        """
        top, left, side = view.window
        pixels = srgb_bytes(self._decoded(number), top, left, side, side)
        if side != view.size:
            sides = (view.size, view.size)
            resized = F.interpolate(torch.from_numpy(pixels).unsqueeze(0), sides, mode="bicubic", antialias=True)
            pixels = resized[0].numpy()
        return np.ascontiguousarray(pixels[..., ::-1]) if view.flipped else pixels

    def aligned_face(self, face: int, flipped: bool) -> UInt8[np.ndarray, "3 512 512"]:
        """A face of the index aligned to FFHQ at 512 pixels by the stored matrix, low-passed where it is reduced.

        Args:
            face: Number of the face.
            flipped: Mirror it.

        Raises:
            ImageFileError: If its photograph cannot be decoded or has changed since it was indexed.
            OSError: If it cannot be read.
        """
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
        samples = crop.mul(255).round().clamp(0, 255).to(torch.uint8).numpy()
        return np.ascontiguousarray(samples[..., ::-1]) if flipped else samples

    def view_or_warn(self, number: int, view: View) -> NDArray[np.uint8] | None:
        """As `view`, but None for a photograph that cannot be decoded, with one warning for it in all workers."""
        if self._state.values[number] == CORRUPT:
            return None
        try:
            return self.view(number, view)
        except (ImageFileError, OSError) as error:
            self._note_corrupt(number, error)
            return None

    def aligned_face_or_warn(self, face: int, flipped: bool) -> NDArray[np.uint8] | None:
        """As `aligned_face`, but None where it cannot be decoded, with one warning in all workers."""
        number = self.index.photograph_of(face)
        if self._state.values[number] == CORRUPT:
            return None
        try:
            return self.aligned_face(face, flipped)
        except (ImageFileError, OSError) as error:
            self._note_corrupt(number, error)
            return None

    @property
    def corrupt(self) -> list[str]:
        """Paths of the photographs that could not be decoded so far, by any worker."""
        return [self.index.photograph(number).path for number in np.flatnonzero(self._state.values == CORRUPT).tolist()]

    def _note_corrupt(self, number: int, error: Exception) -> None:
        self._state.values[number] = CORRUPT
        count = int((self._state.values == CORRUPT).sum())
        warnings.warn(
            CorruptPhotograph(f"Another photograph takes the place of a corrupt one ({count} so far): {error}"),
            stacklevel=3,
        )

    def _decoded(self, number: int) -> Raster:
        row = self.index.photograph(number)
        raster = decode_raster(self.index.read_bytes(number), row.path)
        if raster.samples.shape[:2] != (row.height, row.width):
            found = f"{raster.samples.shape[1]} x {raster.samples.shape[0]}"
            raise DamagedImageError(
                f"{row.path} has {found} pixels, {row.width} x {row.height} when it was indexed; index it again."
            )
        return raster


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
