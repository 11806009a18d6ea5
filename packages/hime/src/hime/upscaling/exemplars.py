"""Exemplars: photographs of the same person, brought to the frame of the output."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.geometry.boxes import rescaled_points
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import least_squares_similarity
from faceops.geometry.warping import warp_affine
from portraitdata.images.resampling import bicubic


@dataclass(frozen=True, eq=False)
class Exemplar:
    """A photograph of the person, and where its face is: found once, however many inputs it is for."""

    samples: Float[Tensor, "3 h w"] | UInt8[Tensor, "3 h w"]
    """RGB in [0, 1], or in 255ths: a quarter of the memory, exact for files of 8 bits in sRGB."""
    landmarks: Float[Tensor, "1 5 2"] | None = None
    """Of the largest face, in pixels; None where none was found, or nobody looked."""

    @property
    def pixels(self) -> Float[Tensor, "3 h w"]:
        """RGB in [0, 1]."""
        return self.samples if self.samples.is_floating_point() else self.samples.float() / 255

    @classmethod
    def seen_by(cls, detector: Detector | None, pixels: Float[Tensor, "3 h w"]) -> "Exemplar":
        """A photograph whose largest face a detector has looked for; None looks for none."""
        faces = Faces.none() if detector is None else detector(pixels[None]).largest()
        return cls(pixels, faces.landmarks if len(faces) else None)

    def in_bytes(self) -> "Exemplar":
        """The same in 255ths: of a file of 16 bits or another colour profile each sample is rounded by half of one."""
        return replace(self, samples=(self.pixels.clamp(0, 1) * 255).round().byte())


def cover(image: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "c {height} {width}"]:
    """Cut the largest centred part of the wanted aspect ratio and resample it by bicubic, in [0, 1].

    Only the middle is kept, so the face should sit in an exemplar about as it sits in the input.

    Example:
        >>> cover(torch.arange(6.0).div(6).expand(1, 2, 6), 2, 2).mul(6).round()[0].tolist()
        [[2.0, 3.0], [2.0, 3.0]]
    """
    rows, columns = image.shape[-2:]
    kept_rows = min(rows, max(1, round(columns * height / width)))
    kept_columns = min(columns, max(1, round(rows * width / height)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    part = image[:, top : top + kept_rows, left : left + kept_columns]
    return bicubic(part, height, width).clamp(0, 1)


def stack_exemplars(exemplars: Sequence[Exemplar], height: int, width: int) -> Float[Tensor, "n 3 {height} {width}"]:
    """The middle of all exemplars in one tensor; none gives n = 0."""
    if not exemplars:
        return torch.zeros(0, 3, height, width)
    return torch.stack([cover(exemplar.pixels, height, width) for exemplar in exemplars])


DETECTION_SIDE = 128
"""Side in pixels to which a small input is enlarged before its face is sought.

On pictures of Labeled Faces in the Wild reduced to 16 x 16 pixels YuNet finds every face at this size, its landmarks
0.6 low-resolution pixels off in the median, and 0.7 of 32 x 32.
"""

MOST_ENLARGED = 4096
"""Longer side in pixels up to which an input is enlarged for that: of a strip of a few rows nothing is found."""


@dataclass(frozen=True)
class AlignedExemplars:
    """Exemplars in the frame of the output."""

    images: Float[Tensor, "n 3 sh sw"]
    """RGB in [0, 1], black beyond the photographs."""
    input_has_face: bool
    """True if a face was found in the input; if not, the middle of every exemplar was taken."""
    without_face: tuple[int, ...]
    """Numbers of the exemplars without a face, of which the middle was taken."""


def align_exemplars(
    lr: Float[Tensor, "3 h w"], exemplars: Sequence[Exemplar], scale: int, detector: Detector
) -> AlignedExemplars:
    """Bring the largest face of every exemplar to the place of the input's largest face, by a similarity.

    The network's own alignment reaches a few low-resolution pixels; photographs as they come are framed far more
    differently. The paper's photographs, CelebAMask-HQ, are aligned by their landmarks beforehand.

    Args:
        lr: Low-resolution picture, RGB in [0, 1].
        exemplars: Photographs in which a face was looked for.
        scale: Magnification of the output, whose frame the exemplars get.
        detector: Finds the face of the input and its five landmarks.
    """
    height, width = lr.shape[-2] * scale, lr.shape[-1] * scale
    target = input_landmarks(lr, scale, detector)
    images, without = [], []
    for number, exemplar in enumerate(exemplars):
        if target is None or exemplar.landmarks is None:
            without.append(number)
            images.append(cover(exemplar.pixels, height, width))
            continue
        matrix = least_squares_similarity(exemplar.landmarks, target)
        images.append(warp_affine(exemplar.pixels[None], matrix, (height, width), antialias=True)[0])
    stacked = torch.stack(images) if images else torch.zeros(0, 3, height, width)
    return AlignedExemplars(stacked, target is not None, tuple(without) if target is not None else ())


def input_landmarks(lr: Float[Tensor, "3 h w"], scale: int, detector: Detector) -> Float[Tensor, "5 2"] | None:
    """Landmarks of the input's largest face in pixels of the output; None if there is no face."""
    factor = max(1.0, min(DETECTION_SIDE / min(lr.shape[-2:]), MOST_ENLARGED / max(lr.shape[-2:])))
    side_h, side_w = round(lr.shape[-2] * factor), round(lr.shape[-1] * factor)
    faces = detector(bicubic(lr, side_h, side_w).clamp(0, 1)[None]).largest()
    if not len(faces):
        return None
    return rescaled_points(faces.landmarks[0], lr.shape[-1] / side_w * scale, lr.shape[-2] / side_h * scale)
