"""Faces that lean: between upright and lying, where a detector of upright faces finds them and misplaces landmarks.

By its landmarks they also lean less than they do. So close-ups are turned by eighths, the one is taken on which the
detector likes the face best, and that is turned further by what the face still leans on it.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.close_ups import SAME, look_closer
from faceops.detection.detector import Detector
from faceops.detection.turned_views import SIDES, about, middle_face, seen_back, view_matrix, view_scores
from faceops.geometry.boxes import intersection_over_union
from faceops.geometry.faces import Faces
from faceops.geometry.warping import warp_affine

LARGE_SIDE = 512
"""Side of the close-up on which the landmarks are found."""

EIGHTHS = tuple(45.0 * eighth for eighth in range(8))

LEAST_LEAN = 12.0
"""Degrees from upright, lying or on its head from which on a face leans; the landmarks bear less."""

SURE = 0.92
"""Mean score of a face from which on it is looked at no further, unless its eyes lean."""

SEARCH_SIDE = 640
"""Longer side in pixels of the copies that are turned and searched where no face was found."""


def with_righted(network: Detector, image: Float[Tensor, "1 3 h w"], faces: Faces) -> Faces:
    """Faces of an image, of which those that lean are found again where they are upright; the others stay as they are.

    A face may lean if its eyes do, or if its score where they lie level is below `SURE`.

    Args:
        network: Detector without a search of sizes.
        image: RGB in [0, 1].
    """
    rolls = rolls_of(faces).tolist()
    scores = view_scores(network, image, faces, [-90.0 * round(roll / 90) for roll in rolls])
    found, upright = Faces.none(faces.scores.device), []
    for index, (roll, score) in enumerate(zip(rolls, scores, strict=True)):
        face, again = faces.select(torch.tensor([index], device=faces.scores.device)), None
        if score < SURE or lean(roll) > LEAST_LEAN:
            again = righted(network, image, face, score)
        if again is None:
            upright.append(face)
        else:
            found = Faces.concatenate([found, without(again, found)])
    if not len(found):
        return faces
    return Faces.concatenate([found, without(Faces.concatenate(upright), found)])


def without(faces: Faces, known: Faces) -> Faces:
    """Those faces that are not among the known ones."""
    if not len(faces) or not len(known):
        return faces
    return faces.select((intersection_over_union(faces.boxes, known.boxes) <= SAME).all(dim=1))


def leaning_faces(network: Detector, image: Float[Tensor, "1 3 h w"]) -> Faces:
    """Faces that a small copy shows which is turned by an odd eighth: those of the turn with the likeliest face."""
    height, width = image.shape[2:]
    side = math.ceil(search_scale(image) * math.hypot(height, width))
    matrices = [about((width - 1) / 2, (height - 1) / 2, angle, search_scale(image), side) for angle in EIGHTHS[1::2]]
    found = Faces.none(image.device)
    for matrix in matrices:
        matrix = matrix.to(image)
        seen = network(warp_affine(image, matrix, side, antialias=True))
        if len(seen) and (not len(found) or seen.scores.max() > found.scores.max()):
            found = seen_back(seen, matrix)
    return found


def search_scale(image: Float[Tensor, "1 3 h w"]) -> float:
    """Size of the copy that is searched, for each pixel of the image."""
    return min(1.0, SEARCH_SIDE / max(image.shape[2:]))


def rolls_of(faces: Faces) -> Float[Tensor, " n"]:
    """Degrees by which the line of the eyes falls to the right, -180 to 180."""
    across, down = (faces.landmarks[:, 1] - faces.landmarks[:, 0]).unbind(dim=1)
    return torch.atan2(down, across).rad2deg()


def lean(angle: float) -> float:
    """Degrees to the next quarter turn, 0 to 45.

    Example:
        >>> lean(100.0), lean(-50.0)
        (10.0, 40.0)
    """
    return abs((angle + 45) % 90 - 45)


def righted(network: Detector, image: Float[Tensor, "1 3 h w"], face: Faces, score: float) -> Faces | None:
    """A face that leans, found again where it is upright; None if it does not, or is liked no better there.

    Args:
        network: Detector without a search of sizes.
        image: RGB in [0, 1].
        face: One face of the image, whose box counts.
        score: Its score as it is.
    """
    angle = upright_angle(network, image, face)
    if angle is None or lean(angle) <= LEAST_LEAN or view_scores(network, image, face, [angle])[0] <= score:
        return None
    matrix = view_matrix(face, angle, LARGE_SIDE)
    view = warp_affine(image, matrix, LARGE_SIDE, antialias=True)
    seen = middle_face(network(view), LARGE_SIDE)
    return None if seen is None else seen_back(look_closer(network, view, seen), matrix)


def upright_angle(network: Detector, image: Float[Tensor, "1 3 h w"], face: Faces) -> float | None:
    """Degrees by which the image has to be turned to the right until a face is upright; None if it is lost."""
    repeated = face.select(torch.zeros(len(EIGHTHS), dtype=torch.int64, device=face.scores.device))
    scores = view_scores(network, image, repeated, EIGHTHS)
    angle = EIGHTHS[scores.index(max(scores))]
    for side in SIDES:
        view = warp_affine(image, view_matrix(face, angle, side), side, antialias=True)
        seen = middle_face(network(view), side)
        if seen is None:
            return None
        angle -= rolls_of(seen).item()
    return angle
