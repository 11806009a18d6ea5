"""Faces that are not upright: found in the picture turned by quarters, where the detector likes a face better.

A detector that learnt upright faces also finds turned ones, and gives them the landmarks of upright faces: what is cut
out by these lies on its side. Its score tells, on close-ups of the face turned four ways. Faces between the quarters
are in `faceops.detection.leaning`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from faceops.detection.close_ups import AT_ONCE, MARGIN, SAME, close_up
from faceops.detection.detector import Detector
from faceops.detection.leaning import leaning_faces, search_scale, with_righted
from faceops.geometry.boxes import intersection_over_union, longer_sides
from faceops.geometry.faces import Faces

SIDES = (160, 256)
"""Sides of the close-ups in pixels."""

LEAD = 0.02
"""A face counts as turned if its mean score is higher by so much than as it is."""

LEAST = 0.85
"""Least mean score of a turned face: of damaged faces the scores are lower, and tell less about turns."""


class TurnSearch:
    """A detector that also finds faces that lean, lie on a side or stand on their heads.

    Their landmarks are named as if the picture were turned until they are upright, so that `align` makes them upright.
    Upright faces stay as the detector gives them.

    Args:
        detector: Finds upright faces of every size.
        network: Finds upright faces of ordinary size, on close-ups.
    """

    def __init__(self, detector: Detector, network: Detector) -> None:
        self.detector = detector
        self.network = network

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces.

        Args:
            images: RGB in [0, 1].
        """
        faces = self.detector(images)
        found = [self._of_image(images[index : index + 1], faces.of(index), index) for index in range(len(images))]
        return Faces.concatenate(found).ordered() if found else faces

    def _of_image(self, image: Float[Tensor, "1 3 h w"], faces: Faces, index: int) -> Faces:
        alone = Faces(torch.zeros_like(faces.image_index), faces.boxes, faces.landmarks, faces.scores)
        turns = quarter_turns(self.network, image, alone) if len(alone) else self._turns_with_faces(image)
        kept = alone.select(turns == 0) if len(alone) else alone
        for turn in sorted({int(turn) for turn in turns.tolist() if turn}):
            turned = torch.rot90(image, turn, (2, 3))
            seen = self.detector(turned)
            if len(seen):
                seen = seen.select(quarter_turns(self.network, turned, seen) == 0)
            kept = with_others(kept, turned_back(seen, turn, *image.shape[2:]))
        kept = kept if len(kept) else alone
        kept = with_righted(self.network, image, kept if len(kept) else leaning_faces(self.network, image))
        return Faces(torch.full_like(kept.image_index, index), kept.boxes, kept.landmarks, kept.scores)

    def _turns_with_faces(self, image: Float[Tensor, "1 3 h w"]) -> Int[Tensor, " n"]:
        """Turn in which a small copy shows the likeliest face; none if it shows none."""
        scale = search_scale(image)
        size = [max(1, int(side * scale)) for side in image.shape[2:]]
        small = torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True)
        best, which = 0.0, []
        for turn in (1, 2, 3):
            scores = self.network(torch.rot90(small, turn, (2, 3))).scores
            if len(scores) and scores.max().item() > best:
                best, which = scores.max().item(), [turn]
        return torch.tensor(which, dtype=torch.int64)


def quarter_turns(network: Detector, image: Float[Tensor, "1 3 h w"], faces: Faces) -> Int[Tensor, " n"]:
    """Quarters to the left, 0 to 3, by which each face has to be turned to be upright.

    Args:
        network: Detector without a search of sizes.
        image: RGB in [0, 1].
        faces: Of the image.
    """
    chunks = torch.arange(len(faces), device=faces.scores.device).split(AT_ONCE)
    scores = torch.cat([_scores_of_turns(network, image, faces.select(chunk)) for chunk in chunks])
    best, which = scores.max(dim=1)
    turned = (best >= LEAST) & (best - scores[:, 0] > LEAD)
    return torch.where(turned, which, 0)


def _scores_of_turns(network: Detector, image: Float[Tensor, "1 3 h w"], faces: Faces) -> Float[Tensor, "n 4"]:
    windows = (longer_sides(faces.boxes) * MARGIN).round().clamp(min=8)
    corners = ((faces.boxes[:, :2] + faces.boxes[:, 2:] - windows[:, None]) / 2).round()
    scores = faces.scores.new_zeros(len(faces), 4)
    for side in SIDES:
        places = zip(corners.int().tolist(), windows.int().tolist(), strict=True)
        crops = torch.cat([close_up(image[0], left, top, window, side) for (left, top), window in places])
        for turn in range(4):
            seen = network(torch.rot90(crops, turn, (2, 3)))
            highest = torch.zeros(len(faces), dtype=scores.dtype, device=scores.device)
            highest.scatter_reduce_(0, seen.image_index, seen.scores.to(scores.dtype), "amax")
            scores[:, turn] += highest / len(SIDES)
    return scores


def with_others(faces: Faces, more: Faces) -> Faces:
    """Faces, and those of `more` that are not among them."""
    if not len(faces) or not len(more):
        return Faces.concatenate([faces, more])
    known = (intersection_over_union(more.boxes, faces.boxes) > SAME).any(dim=1)
    return Faces.concatenate([faces, more.select(~known)])


def turned_back(faces: Faces, turn: int, height: int, width: int) -> Faces:
    """Faces found in an image that was turned, in the coordinates of the image; the names of their landmarks stay.

    Args:
        faces: Of the turned image.
        turn: Quarters by which it was turned to the left.
        height: Of the image before, in pixels.
        width: Likewise.

    Example:
        >>> face = Faces(torch.tensor([0]), torch.tensor([[0.0, 1.0, 2.0, 4.0]]), torch.zeros(1, 5, 2), torch.ones(1))
        >>> turned_back(face, 1, height=10, width=20).boxes, turned_back(face, 2, 10, 20).boxes
        (tensor([[15.,  0., 18.,  2.]]), tensor([[17.,  5., 19.,  8.]]))
    """
    x, y = faces.points().unbind(dim=-1)
    if turn == 1:
        x, y = width - 1 - y, x
    elif turn == 2:
        x, y = width - 1 - x, height - 1 - y
    elif turn == 3:
        x, y = y, height - 1 - x
    corners = torch.stack((x[:, :2], y[:, :2]), dim=-1)
    boxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1)
    return Faces(faces.image_index, boxes, torch.stack((x[:, 2:], y[:, 2:]), dim=-1), faces.scores)
