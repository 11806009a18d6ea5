"""Faces of every size by a detector that knows some sizes: search copies of the image, then look again up close.

Detectors learn on faces of ten to some hundred pixels. In a larger one they find several, or none where it fills the
picture.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.detection.close_ups import look_closer
from faceops.detection.detector import Detector
from faceops.detection.margins import resized_with_margin
from faceops.geometry.boxes import intersection_over_union, longer_sides, shares_inside
from faceops.geometry.faces import Faces

OVERVIEW_SIDE = 256
"""Longer side of the copy that is searched for faces too large for the working copy, in pixels."""

LARGEST = 400.0
"""Longer side of the largest box that is believed on the working copy, in its pixels."""

GREY = 0.5
"""Value of the margin around images that a face may fill."""

LONGEST_STRIP = 64
"""Shorter sides up to which the longer side of such an image goes: a copy of a longer strip has too few rows."""

SAME = 0.4
"""Intersection over union from which on two boxes are one face."""

PART = 0.6
"""Share of a box inside a larger face from which on it is taken for a part of that face."""

FramedDetector = Callable[[Float[Tensor, "b 3 h w"], int], Faces]


class ScaleSearch:
    """A detector for images of any size with faces of any size.

    Args:
        working_side: Longer side of the copy on which faces are sought, in pixels; smaller images stay as they are.
            The smallest face that is found has about a hundredth of it.
        refine: Find boxes and landmarks again on close-ups of the image itself, see `look_closer`. For a crowd this
            takes longer than the search.
        tiny: Search a copy of twice the working side too, even if the image has to be enlarged for it. Four times the
            work.

    Raises:
        ValueError: If the working side is smaller than the overview's.
    """

    def __init__(self, detector: Detector, working_side: int = 1024, refine: bool = True, tiny: bool = False) -> None:
        if working_side < OVERVIEW_SIDE:
            raise ValueError(f"A working side is {OVERVIEW_SIDE} pixels at least, got {working_side}.")
        self.detector, self.working_side, self.refine, self.tiny = detector, working_side, refine, tiny

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        images = images.detach().float()
        longer = max(images.shape[-2:])
        scale = min(1.0, self.working_side / longer)
        faces = detect_scaled(self.detector, images, scale)
        if longer > OVERVIEW_SIDE:
            large = detect_scaled(self.detector, images, OVERVIEW_SIDE / longer)
            faces = with_large_faces(faces, large, LARGEST / scale)
        if self.tiny:
            faces = with_missing(faces, detect_scaled(self.detector, images, 2 * scale))
        faces = with_framed(self._overview, images, faces)
        if self.refine:
            faces = look_closer(self.detector, images, faces)
        return faces.ordered()

    def _overview(self, images: Float[Tensor, "b 3 h w"], margin: int) -> Faces:
        scale = min(1.0, OVERVIEW_SIDE / (max(images.shape[-2:]) + 2 * margin))
        return detect_scaled(self.detector, images, scale, margin)


def with_framed(detector: FramedDetector, images: Float[Tensor, "b 3 h w"], found: Faces) -> Faces:
    """Faces, and those of images without any that are found with a margin around: some fill the picture.

    Args:
        detector: Finds faces of images with so many grey pixels around, in the coordinates of the images.
    """
    longer, shorter = max(images.shape[-2:]), min(images.shape[-2:])
    if longer > LONGEST_STRIP * shorter:
        return found
    empty = torch.ones(len(images), dtype=torch.bool, device=images.device)
    empty[found.image_index] = False
    if not empty.any():
        return found
    faces = detector(images[empty], longer // 2)
    framed = Faces(empty.nonzero().squeeze(1)[faces.image_index], faces.boxes, faces.landmarks, faces.scores)
    return Faces.concatenate([found, framed])


def detect_scaled(detector: Detector, images: Float[Tensor, "b 3 h w"], scale: float, margin: int = 0) -> Faces:
    """Faces of a resized copy, in the coordinates of the images.

    Args:
        margin: Grey pixels around the images, in theirs.
    """
    if scale == 1:
        return shifted(detector(F.pad(images, (margin,) * 4, value=GREY) if margin else images), -margin)
    framed = [side + 2 * margin for side in images.shape[-2:]]
    height, width = (max(1, round(side * scale)) for side in framed)
    copy = resized_with_margin(images, (margin,) * 4, (height, width), GREY)
    return shifted(detector(copy).rescaled(framed[1] / width, framed[0] / height), -margin)


def shifted(faces: Faces, by: int) -> Faces:
    """The same faces, so many pixels further right and down."""
    return Faces(faces.image_index, faces.boxes + by, faces.landmarks + by, faces.scores)


def with_large_faces(faces: Faces, large: Faces, limit: float) -> Faces:
    """Join what the working copy and the overview show.

    Args:
        limit: Longer side in pixels up to which the working copy is believed. Of a face that is larger, the overview's
            box is taken and what the working copy saw inside goes.
    """
    large = large.select(longer_sides(large.boxes) > limit)
    if not len(large):
        return faces
    images = faces.image_index[:, None] == large.image_index[None, :]
    # A quarter: the faces of a crowd that the overview takes for one are smaller, parts of a face are larger.
    sizeable = longer_sides(faces.boxes)[:, None] > longer_sides(large.boxes)[None, :] / 4
    part = images & sizeable & (shares_inside(faces.boxes, large.boxes) > PART)
    return Faces.concatenate([faces.select(~part.any(dim=1)), large])


def with_missing(faces: Faces, more: Faces) -> Faces:
    """Add those of `more` that are not among `faces`, nor parts of them."""
    images = more.image_index[:, None] == faces.image_index[None, :]
    inside = shares_inside(more.boxes, faces.boxes) > PART
    known = images & (inside | (intersection_over_union(more.boxes, faces.boxes) > SAME))
    return Faces.concatenate([faces, more.select(~known.any(dim=1))])
