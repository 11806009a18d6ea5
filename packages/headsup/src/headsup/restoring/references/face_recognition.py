"""The faces of a picture: where they are and, where a network tells people apart, whose they are like."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.geometry.boxes import areas, intersection_over_union
from faceops.geometry.faces import Faces
from faceops.progress.verbosity import say
from faceops.recognition.identity import DEFAULT_NETWORK, THRESHOLDS, IdentityNetwork, build_identity, embed
from faceops.weights.cache import MissingWeightsError, cached_path, find_entry, missing_sentence
from portraitdata.images.resampling import bicubic

DETECTION_SIDE = 512
"""Shorter side in pixels up to which a small picture is enlarged before its faces are sought.

On 140 photographs of Labeled Faces in the Wild, reduced to 62 pixels and damaged by Real-ESRGAN's process, YuNet finds
128 faces, at 128 pixels and at 512 alike; of two faces in a picture it sometimes finds the second at 512 only.
"""

MOST_ENLARGED = 4096
"""Longer side in pixels beyond which a picture is not enlarged for that: of a strip of a few rows nothing is found."""

SAME_FACE = 0.5
"""Share of their union that a given box and a found face have in common at least to be one face."""

FACE_BOX_LANDMARKS = ((0.27, 0.39), (0.726, 0.385), (0.503, 0.581), (0.308, 0.736), (0.705, 0.732))
"""Where the landmarks are in the box of a face, in its widths and heights.

Means of what YuNet found in 3,729 photographs of Labeled Faces in the Wild.
"""


@dataclass(frozen=True, eq=False)
class FaceRecognition:
    """Network that finds faces, and one that tells people apart if it is to be had."""

    detector: Detector
    encoder: IdentityNetwork | None
    threshold: float
    """Similarity that two sharp photographs of one person reach, as a rule."""
    missing: str = ""
    """Why there is no encoder, and how to get it, in a sentence."""


@dataclass(frozen=True, eq=False)
class EmbeddedFaces:
    """Faces of one picture, the largest first."""

    faces: Faces
    """In pixels of the picture."""
    embeddings: Float[Tensor, "n d"] | None
    """None where no network tells people apart."""

    def __len__(self) -> int:
        return len(self.faces)


def load_recognition(fetch: bool) -> FaceRecognition:
    """The detector, and the network that tells people apart from the cache.

    Args:
        fetch: Fetch what is not in the cache, and say so on stderr. What cannot be fetched is done without.

    Raises:
        DamagedWeightsError: If a file in the cache is another.
    """
    entry = find_entry(DEFAULT_NETWORK)
    if fetch and not cached_path(entry).is_file():
        size = f" ({entry.size / 1e6:.1f} MB)" if entry.size else ""
        say(f"To tell people apart, {entry.name}{size} is fetched, once.")
    detector = build_detector()
    encoder, missing = load_encoder(fetch)
    return FaceRecognition(detector, encoder, THRESHOLDS[DEFAULT_NETWORK], missing)


def load_encoder(fetch: bool) -> tuple[IdentityNetwork | None, str]:
    """The network that tells people apart, or why there is none and how to get it.

    Raises:
        DamagedWeightsError: If the file in the cache is another.
    """
    entry = find_entry(DEFAULT_NETWORK)
    if not fetch and not cached_path(entry).is_file():
        return None, missing_sentence(entry, "nobody has fetched it")
    try:
        return build_identity(DEFAULT_NETWORK), ""
    except MissingWeightsError as error:
        return None, str(error)


@torch.no_grad()
def detect_and_embed(
    pixels: Float[Tensor, "3 h w"], recognition: FaceRecognition, box: tuple[float, float, float, float] | None = None
) -> EmbeddedFaces:
    """Find the faces of a picture, and embed them if there is a network for that.

    Args:
        box: Left, top, right and bottom of the only face that counts, in pixels: the face that is found there, or
            else one of which only the box is known. Like boxes that are found, it may reach beyond the picture.

    Raises:
        ValueError: If nothing of the box is within the picture.
    """
    given = None if box is None else boxed_face(box, *pixels.shape[1:])
    images, factor = enlarged_for_faces(pixels)
    found = find_faces(pixels, recognition.detector)
    if given is not None:
        same = intersection_over_union(inside(found.boxes, *pixels.shape[1:]), given.boxes)[:, 0]
        found = found.select(same.argmax()[None]) if len(same) and same.max() >= SAME_FACE else given
    if recognition.encoder is None:
        return EmbeddedFaces(found, None)
    return EmbeddedFaces(found, embed(recognition.encoder, images, found.rescaled(float(factor))))


@torch.no_grad()
def find_faces(pixels: Float[Tensor, "3 h w"], detector: Detector) -> Faces:
    """Find the faces of a picture, the largest first."""
    images, factor = enlarged_for_faces(pixels)
    found = detector(images)
    return found.select(found.area().argsort(descending=True, stable=True)).rescaled(1 / factor)


def enlarged_for_faces(pixels: Float[Tensor, "3 h w"]) -> tuple[Float[Tensor, "1 3 _ _"], int]:
    """A picture in which small faces are found, enlarged by a whole number if it is small; and that number."""
    height, width = pixels.shape[1:]
    factor = max(1, min(math.ceil(DETECTION_SIDE / min(height, width)), MOST_ENLARGED // max(height, width)))
    if factor == 1:
        return pixels.unsqueeze(0), 1
    return bicubic(pixels, height * factor, width * factor).clamp(0, 1).unsqueeze(0), factor


def boxed_face(box: tuple[float, float, float, float], height: int, width: int) -> Faces:
    """A face of which only the box is known; the landmarks are where they are in most faces.

    Args:
        box: Left, top, right and bottom in pixels; what lies beyond the picture is cut off after the landmarks are
            placed, since the box of a face at the edge is that of the whole face.

    Raises:
        ValueError: If nothing of the box is within the picture.

    Example:
        >>> boxed_face((10.0, 20.0, 50.0, 80.0), 100, 100).boxes.tolist()
        [[10.0, 20.0, 50.0, 80.0]]
    """
    left, top, right, bottom = box
    boxes = inside(torch.tensor([box]).float(), height, width)
    if not (all(map(math.isfinite, box)) and areas(boxes).item() > 0):
        raise ValueError(
            f"The box of a face is X1 Y1 X2 Y2, left, top, right and bottom edge within the {width} x {height} pixels "
            f"of the picture; got {left:g} {top:g} {right:g} {bottom:g}."
        )
    corner, size = torch.tensor([left, top]), torch.tensor([right - left, bottom - top])
    landmarks = corner + torch.tensor(FACE_BOX_LANDMARKS) * size
    return Faces(torch.tensor([0]), boxes, landmarks.unsqueeze(0), torch.ones(1))


def inside(boxes: Float[Tensor, "n 4"], height: int, width: int) -> Float[Tensor, "n 4"]:
    """Parts of boxes that are within a picture; of those beside it nothing is left, and their area is zero.

    Example:
        >>> inside(torch.tensor([[-9.0, 34.0, 79.0, 157.0]]), 380, 310).tolist()
        [[0.0, 34.0, 79.0, 157.0]]
    """
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
