"""Faces of every size by a detector that knows some sizes: search copies of the image, each half as large.

What is blurred or noisy is sharp on a small copy, so a damaged face is found on one, however large it is.
"""

from collections.abc import Iterator

from jaxtyping import Bool, Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.detection.scale_search import PART, SAME, detect_scaled, with_framed
from faceops.detection.suppression import suppress_overlaps
from faceops.geometry.boxes import longer_sides, shares_inside
from faceops.geometry.faces import Faces

SMALLEST_SIDE = 128
"""Longer side in pixels from which on a copy is not halved any more."""


class PyramidSearch:
    """A detector for images of any size with faces of any size; of a face found on several copies the likeliest counts.

    Args:
        detector: Finds faces of ordinary size.
        working_side: Longer side of the largest copy in pixels; smaller images stay as they are.
        tiny: Search a copy of twice that side too, even if the image has to be enlarged for it. Four times the work.

    Raises:
        ValueError: If the working side is less than the smallest one.
    """

    def __init__(self, detector: Detector, working_side: int = 1024, tiny: bool = False) -> None:
        if working_side < SMALLEST_SIDE:
            raise ValueError(f"A working side is {SMALLEST_SIDE} pixels at least, got {working_side}.")
        self.detector, self.working_side, self.tiny = detector, working_side, tiny

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        images = images.detach().float()
        return with_framed(self._found, images, self._found(images, margin=0)).ordered()

    def _found(self, images: Float[Tensor, "b 3 h w"], margin: int) -> Faces:
        scales = self._scales(max(images.shape[-2:]) + 2 * margin)
        faces = Faces.concatenate([detect_scaled(self.detector, images, scale, margin) for scale in scales])
        faces = faces.select(suppress_overlaps(faces.boxes, faces.scores, faces.image_index, SAME))
        return faces.select(~parts_of_faces(faces))

    def _scales(self, longer: int) -> Iterator[float]:
        scale = min(1.0, self.working_side / longer)
        if self.tiny:
            yield 2 * scale
        yield scale
        while longer * scale > SMALLEST_SIDE:
            scale /= 2
            yield scale


def parts_of_faces(faces: Faces) -> Bool[Tensor, " n"]:
    """Which faces are most likely parts of a larger and likelier one.

    Much smaller ones are not: they may be on what somebody wears or holds.
    """
    sides = longer_sides(faces.boxes)
    same_image = faces.image_index[:, None] == faces.image_index[None, :]
    smaller = (sides[:, None] < sides[None, :]) & (sides[:, None] > sides[None, :] / 4)
    likelier = faces.scores[:, None] < faces.scores[None, :]
    return (same_image & smaller & likelier & (shares_inside(faces.boxes, faces.boxes) > PART)).any(dim=1)
