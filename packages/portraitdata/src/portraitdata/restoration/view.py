"""A view of a photograph: the square window that is cut out, resized to the training size and perhaps mirrored."""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from faceops.detection.close_ups import mirrored
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import compose, resized
from portraitdata.exemplars.photograph_crops import Square


class View(NamedTuple):
    """Window, size and mirroring of a shown photograph.

    Convention: a pixel x of the photograph lies at (x - left + 0.5) * size / side - 0.5 of the view, pixel centres at
    integers; mirrored, at size - 1 minus that.
    """

    window: Square
    """Part of the photograph, in its pixels."""
    size: int
    """Side of the view in pixels."""
    flipped: bool
    """True if left and right are exchanged."""

    @property
    def scale(self) -> float:
        """Pixels of the view for one of the photograph."""
        return self.size / self.window.side

    def faces(self, faces: Faces) -> Faces:
        """Faces of the photograph in pixels of the view; of a mirrored face, left and right landmarks change places."""
        corner = faces.boxes.new_tensor([self.window.left, self.window.top])
        moved = Faces(faces.image_index, faces.boxes - corner.repeat(2), faces.landmarks - corner, faces.scores)
        seen = moved.rescaled(self.scale)
        return mirrored(seen, self.size) if self.flipped else seen

    def matrices(self, matrices: Float[Tensor, "n 2 3"], size: int) -> Float[Tensor, "n 2 3"]:
        """Maps from pixels of the photograph to those of aligned faces, as maps from pixels of the view.

        Of a mirrored view, the aligned faces are mirrored.

        Args:
            matrices: Maps to faces aligned at `size` pixels.
            size: Side of the aligned faces.

        Example:
            >>> import torch
            >>> shift = torch.tensor([[[1.0, 0.0, -10.0], [0.0, 1.0, -20.0]]])
            >>> View(Square(20, 10, 100), 100, False).matrices(shift, 64).tolist()
            [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
        """
        corner = torch.tensor([[[1.0, 0.0, self.window.left], [0.0, 1.0, self.window.top]]], dtype=torch.float64)
        back = compose(corner, resized(1 / self.scale))
        if not self.flipped:
            return compose(matrices, back).to(matrices.dtype)
        mirrored_back = compose(back, mirroring(self.size))
        return compose(mirroring(size), compose(matrices, mirrored_back)).to(matrices.dtype)

    def visible(self, faces: Faces) -> NDArray[np.bool_]:
        """True for faces, in pixels of the view, with all five landmarks in it."""
        inside = (faces.landmarks > -0.5) & (faces.landmarks < self.size - 0.5)
        return inside.all(dim=2).all(dim=1).numpy()


def mirroring(size: int) -> Float[Tensor, "1 2 3"]:
    """Matrix that exchanges left and right of a picture so many pixels wide, in float64."""
    return torch.tensor([[[-1.0, 0.0, size - 1.0], [0.0, 1.0, 0.0]]], dtype=torch.float64)


def face_window(
    height: int, width: int, side: int, box: tuple[float, float, float, float], at: tuple[float, float]
) -> Square:
    """A window of a photograph that contains a face, or lies within it if the face is larger.

    Where the photograph ends before the box does, the window ends with the photograph.

    Args:
        side: Of the window, in pixels; not more than the photograph has.
        box: Left, top, right and bottom edge of the face, in pixels.
        at: Where among the possible windows, down and right, each in [0, 1].

    Example:
        >>> face_window(400, 300, 200, (120.0, 50.0, 180.0, 130.0), (0.0, 1.0))
        Square(top=0, left=100, side=200)
    """
    left, top, right, bottom = box
    return Square(_start(top, bottom, side, height, at[0]), _start(left, right, side, width, at[1]), side)


def _start(first: float, last: float, side: int, length: int, at: float) -> int:
    low, high = (min(max(edge, 0), length - side) for edge in sorted((first, last + 1 - side)))
    stop = math.floor(high)
    start = min(math.ceil(low), stop)
    return start + min(int(at * (stop - start + 1)), stop - start)


def any_window(height: int, width: int, side: int, at: tuple[float, float]) -> Square:
    """A window anywhere in a photograph.

    Example:
        >>> any_window(400, 300, 200, (0.5, 0.0))
        Square(top=100, left=0, side=200)
    """
    spaces = height - side, width - side
    top, left = (min(int(part * (space + 1)), space) for part, space in zip(at, spaces, strict=True))
    return Square(top, left, side)


def window_around(
    height: int, width: int, side: int, box: tuple[float, float, float, float], at: tuple[float, float]
) -> Square:
    """A window of a photograph whose middle is a place of a face, moved as far as the photograph's border demands.

    Args:
        at: Which place, down and right, each in [0, 1].

    Example:
        >>> window_around(400, 300, 20, (120.0, 50.0, 180.0, 130.0), (0.5, 1.0))
        Square(top=80, left=170, side=20)
    """
    left, top, right, bottom = box
    down, across = top + at[0] * (bottom - top), left + at[1] * (right - left)
    return Square(_centred(down, side, height), _centred(across, side, width), side)


def _centred(middle: float, side: int, length: int) -> int:
    return min(max(round(middle - side / 2), 0), length - side)
