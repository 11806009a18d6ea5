"""Upright close-ups of labelled faces, about as a detector would align them, to train exact landmarks on."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from faceops.detection.exact_landmarks.landmark_network import SIDE, WINDOW
from faceops.geometry.similarity import least_squares_similarity
from portraitdata.face_finding.appearance import cover, damaged, lit, shaded
from portraitdata.face_finding.expressions import another_expression
from portraitdata.face_finding.picture_bank import BankedPicture
from portraitdata.face_finding.scenes import beyond
from portraitdata.face_finding.views import Matrix, View, seen_through, view_matrix

LEAST_EYES = 16.0
"""Distance of the eyes in a photograph, in pixels, from which on its landmarks are exact enough to learn from."""

TURN, GROWTH, SHIFT = 8.0, 0.1, 0.05
"""Standard deviations of what a first look is off: degrees, logarithm of the size, and sides of the close-up."""

OTHER_EXPRESSIONS = 0.7
"""Share of the close-ups with another expression."""


class CloseUp(NamedTuple):
    """A face and its landmarks, in pixels of the close-up."""

    image: UInt8[Tensor, "3 s s"]
    landmarks: Float[Tensor, "5 2"]


class DrawnCloseUps(Dataset[CloseUp]):
    """As many close-ups as wanted, each by its own seed.

    Args:
        pictures: Photographs.
        count: Number of close-ups.
        seed: Close-ups of other seeds are others.

    Raises:
        ValueError: If no face is large enough.
    """

    def __init__(self, pictures: Sequence[BankedPicture], count: int, seed: int) -> None:
        self.count, self.seed = count, seed
        self.faces = [
            (picture, int(which))
            for picture in pictures
            for which in picture.sure.nonzero()[0]
            if np.hypot(*(picture.landmarks[which, 1] - picture.landmarks[which, 0])) >= LEAST_EYES
        ]
        if not self.faces:
            raise ValueError(f"There is no face to draw from whose eyes are at least {LEAST_EYES:g} pixels apart.")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> CloseUp:
        rng = np.random.default_rng((self.seed, index))
        picture, which = self.faces[int(rng.integers(len(self.faces)))]
        return draw_close_up(picture, which, rng)


def draw_close_up(picture: BankedPicture, which: int, rng: np.random.Generator) -> CloseUp:
    """A close-up of one of a photograph's faces, a little off, in some light and damage."""
    alone = BankedPicture(picture.copies, picture.boxes[[which]], picture.landmarks[[which]], picture.sure[[which]])
    matrix = jitter(rng) @ upright(alone.landmarks[0])
    view = seen_through(alone, matrix, (SIDE, SIDE), rng.random() < 0.5, beyond(rng))
    # the window shows less than the whole face
    view = View(view.image, view.boxes, view.landmarks, np.ones(len(view.boxes), bool))
    if rng.random() < OTHER_EXPRESSIONS:
        view = another_expression(view, rng)
    image = lit(view.image, rng) if rng.random() < 0.85 else view.image.copy()
    if rng.random() < 0.15:
        image = shaded(image, rng)
    if rng.random() < 0.15:
        cover(image, view.boxes[0].clip(0, SIDE - 1), rng)
    image = damaged(damaged(image, rng), rng) if rng.random() < 0.5 else damaged(image, rng)
    pixels = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))
    return CloseUp(torch.from_numpy(pixels), torch.from_numpy(view.landmarks[0]).float())


def upright(landmarks: Float[np.ndarray, "5 2"]) -> Matrix:
    """Similarity that aligns a face to the window."""
    matrix = least_squares_similarity(torch.from_numpy(landmarks)[None], WINDOW.tensor())[0]
    return np.concatenate([matrix.numpy(), [[0.0, 0.0, 1.0]]])


def jitter(rng: np.random.Generator) -> Matrix:
    """What a first look is off: a turn, a change of size and a shift, about the middle of the window."""
    angle, scale = math.radians(rng.normal(0, TURN)), math.exp(rng.normal(0, GROWTH))
    x, y = rng.normal(0, SHIFT * SIDE, 2)
    middle = (SIDE - 1) / 2
    return view_matrix((middle, middle), (middle + x, middle + y), scale, angle)
