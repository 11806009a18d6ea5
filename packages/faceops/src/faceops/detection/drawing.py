"""Boxes and landmarks drawn into a picture."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.faces import Faces

BOX_COLOUR = (30, 230, 80)
POINT_COLOURS = ((255, 50, 50), (50, 130, 255), (255, 230, 30), (255, 100, 230), (30, 230, 230))
"""Colours (RGB, of 255) of left eye, right eye, nose, left and right mouth corner."""

FRACTION_BITS = 4
"""OpenCV draws at sixteenths of a pixel."""


def draw_faces(image: Float[Tensor, "3 h w"], faces: Faces) -> Float[Tensor, "3 h w"]:
    """Copy of an image, in 8 bits, with the box, the score and the landmarks of every face.

    The left eye is red, the right one blue, the nose yellow, the corners of the mouth magenta (left) and cyan.

    Args:
        faces: Its faces; their image index is not looked at.
    """
    samples = image.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
    canvas = np.ascontiguousarray(samples.permute(1, 2, 0).numpy()).copy()
    unit = max(1, round(max(canvas.shape[:2]) / 600))
    for box, points, score in zip(faces.boxes.cpu(), faces.landmarks.cpu(), faces.scores.tolist(), strict=True):
        left_top, right_bottom = (subpixel(corner) for corner in box.reshape(2, 2))
        cv2.rectangle(canvas, left_top, right_bottom, BOX_COLOUR, unit, cv2.LINE_AA, FRACTION_BITS)
        radius = max(unit, round(0.02 * (box[2] - box[0]).item()))
        for point, colour in zip(points, POINT_COLOURS, strict=True):
            cv2.circle(canvas, subpixel(point), radius << FRACTION_BITS, colour, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)
        place = (round(box[0].item()), round(box[1].item()) - 3 * unit)
        cv2.putText(canvas, f"{score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit, BOX_COLOUR, unit, cv2.LINE_AA)
    return torch.from_numpy(canvas).permute(2, 0, 1).float() / 255


def subpixel(point: Float[Tensor, "2"]) -> tuple[int, int]:
    """Point in the fixed-point numbers of OpenCV's drawing.

    Example:
        >>> subpixel(torch.tensor([1.5, -2.0]))
        (24, -32)
    """
    x, y = (point.clamp(-1e6, 1e6) * 2**FRACTION_BITS).round().int().tolist()
    return x, y
