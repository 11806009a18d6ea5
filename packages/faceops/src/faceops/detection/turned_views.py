"""Close-ups of faces that are turned by any angle, and the way back from them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from faceops.detection.close_ups import AT_ONCE
from faceops.detection.detector import Detector
from faceops.geometry.boxes import longer_sides
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import apply, invert
from faceops.geometry.warping import warp_affine

SIDES = (160, 256)
"""Sides in pixels of the close-ups whose scores count."""

MARGIN = 2.0
"""Side of a close-up in longer sides of the face's box."""


def view_scores(
    network: Detector, image: Float[Tensor, "1 3 h w"], faces: Faces, angles: Sequence[float]
) -> list[float]:
    """Mean score of each face on close-ups that are turned by its angle; 0 where it is not found.

    Args:
        angles: Degrees to the right, one for each face.
    """
    scores = faces.scores.new_zeros(len(faces))
    for chunk in torch.arange(len(faces)).split(AT_ONCE) if len(faces) else ():
        members = chunk.to(faces.scores.device)
        for side in SIDES:
            each = [
                view_matrix(faces.select(members[i : i + 1]), angles[int(chunk[i])], side) for i in range(len(chunk))
            ]
            views = warp_affine(image, torch.cat(each), side, torch.zeros_like(chunk), antialias=True)
            seen = network(views)
            highest = scores.new_zeros(len(chunk))
            highest.scatter_reduce_(0, seen.image_index, seen.scores.to(scores.dtype), "amax")
            scores[members] += highest / len(SIDES)
    return scores.tolist()


def view_matrix(face: Faces, angle: float, side: int) -> Float[Tensor, "1 2 3"]:
    """Matrix of the close-up of a face, turned to the right by an angle in degrees, see `warp_affine`."""
    x, y = ((face.boxes[0, :2] + face.boxes[0, 2:]) / 2).tolist()
    window = max(MARGIN * longer_sides(face.boxes).item(), 8.0)
    return about(x, y, angle, side / window, side).to(face.boxes)


def about(x: float, y: float, angle: float, scale: float, side: int) -> Float[Tensor, "1 2 3"]:
    """Matrix that brings a point to the middle of a square, turned to the right by an angle in degrees and scaled.

    Example:
        >>> about(3.0, 4.0, 90.0, 2.0, 11).round().tolist()
        [[[0.0, -2.0, 13.0], [2.0, 0.0, -1.0]]]
    """
    across, down = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    middle = (side - 1) / 2
    rows = [[across, -down, middle - across * x + down * y], [down, across, middle - down * x - across * y]]
    return torch.tensor([rows], dtype=torch.float64)


def middle_face(seen: Faces, side: int) -> Faces | None:
    """The face in whose box the middle of a close-up is, the likeliest of several; None if there is none."""
    those = seen.select(in_the_middle(seen, side))
    return those.select(those.scores.argmax()[None]) if len(those) else None


def seen_back(seen: Faces, matrix: Float[Tensor, "#n 2 3"]) -> Faces:
    """Faces of turned copies in the coordinates of the image; boxes are as wide and high as the faces are there.

    Args:
        matrix: Of the copy that each face is on, or of the one that all are on.
    """
    back = invert(matrix).expand(len(seen), 2, 3)
    centres = apply(back, (seen.boxes[:, None, :2] + seen.boxes[:, None, 2:]) / 2)[:, 0]
    width, height = (seen.boxes[:, 2:] - seen.boxes[:, :2]).unbind(dim=1)
    across, down = back[:, 0, 0], back[:, 1, 0]
    # not the box around the turned box, which at an eighth has twice the area of the face
    half = torch.stack((torch.hypot(width * across, height * down), torch.hypot(width * down, height * across)), 1) / 2
    boxes = torch.cat([centres - half, centres + half], dim=1)
    return Faces(seen.image_index, boxes, apply(back, seen.landmarks), seen.scores)


def in_the_middle(seen: Faces, side: int) -> Bool[Tensor, " n"]:
    """Which faces of close-ups hold the middle."""
    middle = (side - 1) / 2
    return (seen.boxes[:, :2] <= middle).all(dim=1) & (seen.boxes[:, 2:] >= middle).all(dim=1)
