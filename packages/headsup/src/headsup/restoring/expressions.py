"""True if a reference shows another expression than the picture: the mouths are compared as small pictures.

Landmarks cannot tell: the corners of a smiling mouth are hardly further apart than those of a closed one. Nothing is
stopped by it, there is only a sentence. Shut eyes are not noticed.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from faceops.geometry.alignment import align
from faceops.geometry.face_parts import EYES, LIPS, Box
from faceops.geometry.landmarks import FFHQ_512
from headsup.restoring.references.face_recognition import EmbeddedFaces
from headsup.restoring.references.matching import Match, called
from portraitdata.images.resampling import bicubic

SIDE = 64
"""Of the aligned faces that are compared, in pixels: no more than small faces have; smaller ones are not judged."""

SLACK = 2
"""Pixels by which a part may be elsewhere, as landmarks of damaged faces are not exact."""

SOFTNESS = 1.0
"""Standard deviation in pixels of the Gaussian that both faces are softened by, against noise and blocks."""

RECOGNISABLE = 0.6
"""Correlation of the eyes below which nothing is said: another pose, or too much damage to judge a mouth."""

LEAD = 0.18
"""Least difference between the similarities of eyes and mouths where expressions differ.

The least of some bounds that at most 5 % of the faces with their own photograph as reference exceed, for each kind of
damage, among the first half of 62 people of the Face Research Lab London Set. The benchmark `reference_expressions`
judges it on the other half; the boxes of eyes and lips were chosen on all of them.
"""

FLAT = 0.01
"""Standard deviation of a part, of a range of 1, below which it shows nothing."""


def expression_notes(
    pixels: Float[Tensor, "3 h w"], seen: EmbeddedFaces | None, matches: Sequence[Match | None]
) -> list[str]:
    """A sentence about each face of which a reference shows another expression.

    Args:
        seen: Its faces; None if nobody looked, and then there are no matches.
    """
    notes: list[str] = []
    if seen is None:
        return notes
    least = FFHQ_512.scaled(SIDE).eye_distance()
    for row, match in enumerate(matches):
        face = seen.faces.select(seen.faces.image_index.new_tensor([row]))
        if match is None or face.eye_distance().item() < least:
            continue
        own = align(pixels.unsqueeze(0), face, SIDE).crops[0]
        others = [
            photo.path.name
            for photo in match.photos
            if photo.eye_distance >= least and expressions_differ(own, photo.face)
        ]
        if others:
            notes.append(
                f"{called(seen, row)} seems to have another expression than in {' and '.join(others)}: the mouths "
                "differ. Look whether the result keeps that of the picture, or give a photograph of like expression."
            )
    return notes


def expressions_differ(face: Float[Tensor, "3 s s"], reference: Float[Tensor, "3 r r"]) -> bool:
    """Tell whether the mouths differ by more than the eyes do; False where it cannot be judged.

    Args:
        face: Aligned to FFHQ, RGB in [0, 1], of at least `SIDE` pixels.
        reference: Likewise.
    """
    own, other = softened(face), softened(reference)
    eyes, mouth = (part_correlation(own, other, part) for part in (EYES, LIPS))
    return eyes is not None and mouth is not None and eyes >= RECOGNISABLE and eyes - mouth > LEAD


def softened(face: Float[Tensor, "3 s s"]) -> Float32[np.ndarray, "64 64"]:
    """Grey of an aligned face, small and soft."""
    small = bicubic(face.mean(dim=0), SIDE, SIDE).numpy()
    return cv2.GaussianBlur(small, (0, 0), SOFTNESS).astype(np.float32, copy=False)


def part_correlation(
    face: Float32[np.ndarray, "s s"], reference: Float32[np.ndarray, "s s"], part: Box
) -> float | None:
    """Largest correlation of a part with the reference around the same place; None where one of them shows nothing.

    Means and contrasts are taken out, so that neither light nor exposure counts.

    Example:
        >>> noise = np.random.default_rng(0).random((64, 64), dtype=np.float32)
        >>> correlation = part_correlation(noise, np.roll(noise / 2, 1, axis=1), LIPS)
        >>> round(correlation, 3)
        1.0
        >>> part_correlation(noise, np.ones_like(noise), LIPS) is None
        True
    """
    left, top, right, bottom = (round(edge * SIDE) for edge in part)
    own = face[top:bottom, left:right]
    around = reference[top - SLACK : bottom + SLACK, left - SLACK : right + SLACK]
    if min(own.std(), around.std()) < FLAT:
        return None
    return float(cv2.matchTemplate(around, own, cv2.TM_CCOEFF_NORMED).max())
