"""Boxes and landmarks of known faces, found again on close-ups.

A detector's landmarks depend on how large a face is, where it lies on the network's grid, and which way it looks. The
mean over a few close-ups is about twice as exact as the first look at a face in a large photograph.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.detection.margins import resized_with_margin
from faceops.detection.mean_look import MeanLook
from faceops.geometry.boxes import intersection_over_union, longer_sides
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import MIRRORED

SIDES = (288, 384, 512)
"""Sides of the close-ups in pixels; each is also looked at mirrored."""

MARGIN = 1.6
"""Side of a close-up in longer sides of the face's box."""

SAME = 0.4
"""Intersection over union from which on a box is the one of before."""

AT_ONCE = 8
"""Faces that go through the detector together, for memory."""


def look_closer(detector: Detector, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Faces:
    """The same faces with the mean box and landmarks of close-ups; scores and order stay.

    A face that is found again on no close-up stays as it is. ``python -m benchmarks face_detection`` says how much
    more exact they are.

    Args:
        detector: Finds faces; should have found these.
    """
    if not len(faces):
        return faces
    chunks = torch.arange(len(faces), device=faces.scores.device).split(AT_ONCE)
    return Faces.concatenate([_look_closer(detector, images, faces.select(chunk)) for chunk in chunks])


def _look_closer(detector: Detector, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Faces:
    windows = (longer_sides(faces.boxes) * MARGIN).round().clamp(min=8)
    corners = ((faces.boxes[:, :2] + faces.boxes[:, 2:] - windows[:, None]) / 2).round()
    look = MeanLook(faces)
    for side in SIDES:
        crops = torch.cat(
            [
                close_up(images[index], left, top, window, side)
                for index, (left, top), window in zip(
                    faces.image_index.tolist(), corners.int().tolist(), windows.int().tolist(), strict=True
                )
            ]
        )
        scales = (windows / side)[:, None, None]
        for seen in (detector(crops), mirrored(detector(crops.flip(-1)), side)):
            owner = seen.image_index
            back = seen.with_points((seen.points() + 0.5) * scales[owner] - 0.5 + corners[owner, None])
            best, which = matched(faces, back.boxes, owner)
            look.add(best, back.select(which))
    return look.mean()


def matched(faces: Faces, boxes: Float[Tensor, "m 4"], owner: Tensor) -> tuple[Tensor, Tensor]:
    """Faces found again, and for each the box that it is, of those on its own close-up."""
    if not len(boxes):
        return owner, owner
    agreement = intersection_over_union(faces.boxes, boxes)
    foreign = torch.arange(len(faces), device=owner.device)[:, None] != owner[None, :]
    best, which = agreement.masked_fill(foreign, 0).max(dim=1)
    again = (best > SAME).nonzero().squeeze(1)
    return again, which[again]


def mirrored(faces: Faces, width: int) -> Faces:
    """Faces of mirrored images in the coordinates of the images.

    Example:
        >>> box = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
        >>> mirrored(Faces(torch.tensor([0]), box, torch.zeros(1, 5, 2), torch.ones(1)), 10).boxes
        tensor([[7., 1., 9., 3.]])
    """
    flip, offset = faces.boxes.new_tensor([-1, 1]), faces.boxes.new_tensor([width - 1, 0])
    corners = faces.boxes.unflatten(1, (2, 2)) * flip + offset
    left, right = corners[:, 1, :1], corners[:, 0, :1]
    boxes = torch.cat([left, faces.boxes[:, 1:2], right, faces.boxes[:, 3:]], dim=1)
    return Faces(faces.image_index, boxes, faces.landmarks[:, MIRRORED] * flip + offset, faces.scores)


def close_up(image: Float[Tensor, "3 h w"], left: int, top: int, window: int, side: int) -> Float[Tensor, "1 3 s s"]:
    """Square of an image, black where it reaches beyond, resized.

    Args:
        left: First column of the square, in pixels; may be negative.
        top: First row.
        window: Side of the square in pixels of the image.
    """
    height, width = image.shape[-2:]
    inner = image[:, max(top, 0) : max(top + window, 0), max(left, 0) : max(left + window, 0)]
    beyond = (max(-left, 0), max(left + window - width, 0), max(-top, 0), max(top + window - height, 0))
    if not inner.numel():
        return image.new_zeros(1, 3, side, side)
    return resized_with_margin(inner.unsqueeze(0), beyond, (side, side), 0.0)
