"""Close-ups of faces that are turned by any angle, and the way back from them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
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
    middle = (side - 1) / 2
    those = seen.select((seen.boxes[:, :2] <= middle).all(dim=1) & (seen.boxes[:, 2:] >= middle).all(dim=1))
    return those.select(those.scores.argmax()[None]) if len(those) else None


def seen_back(seen: Faces, matrix: Float[Tensor, "1 2 3"], angle: float) -> Faces:
    """Faces of a turned copy in the coordinates of the image; boxes are as wide and high as the faces are there.

    Args:
        matrix: Of the copy.
        angle: Degrees to the right by which it is turned.
    """
    back = invert(matrix)
    centres = apply(back, (seen.boxes[None, :, :2] + seen.boxes[None, :, 2:]) / 2)[0]
    width, height = ((seen.boxes[:, 2:] - seen.boxes[:, :2]) * back[0, :, 0].norm()).unbind(dim=1)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # not the box around the turned box, which at an eighth has twice the area of the face
    half = torch.stack((torch.hypot(width * cosine, height * sine), torch.hypot(width * sine, height * cosine)), 1) / 2
    landmarks = apply(back, seen.landmarks.reshape(1, -1, 2)).reshape(-1, 5, 2)
    return Faces(seen.image_index, torch.cat([centres - half, centres + half], dim=1), landmarks, seen.scores)
