"""Scenes drawn from labelled photographs: grids of views with faces of every size and turn, and without."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch

from portraitdata.face_finding.appearance import any_colour, cover, damaged, lit, scribble, shaded
from portraitdata.face_finding.picture_bank import BankedPicture
from portraitdata.face_finding.scene_batch import Scene
from portraitdata.face_finding.views import LEAST_SIZE, View, seen_through, view_matrix

GRIDS, SHARES = (1, 2, 3, 4, 6), (0.35, 0.25, 0.2, 0.12, 0.08)
"""Views in a row and a column of a scene, and how often."""

UPRIGHT = 0.45
"""Share of the views that are about upright; the others are turned by any angle."""

TILT = 0.15
"""Largest change of the scale across a face, or across a third of the photograph, if that is more."""

ENLARGED = 2.5
"""Largest magnification of a face."""

ANYWHERE = 0.3
"""Share of the views that look anywhere, not at a face."""


class SceneDrawer:
    """Draws scenes.

    Args:
        pictures: Photographs with a face of which the detectors are sure, and others.
        side: Side of a scene in pixels.
    """

    def __init__(self, pictures: Sequence[BankedPicture], side: int) -> None:
        self.pictures, self.side = pictures, side
        self.with_faces = [picture for picture in pictures if picture.sure.any()]

    def draw(self, rng: np.random.Generator) -> Scene:
        """A scene."""
        count = int(rng.choice(GRIDS, p=SHARES))
        edges = np.linspace(0, self.side, count + 1).round().astype(int)
        image = np.empty((self.side, self.side, 3), np.uint8)
        boxes, landmarks, sure = [], [], []
        for top, bottom in itertools.pairwise(edges):
            for left, right in itertools.pairwise(edges):
                view = self.view((int(bottom - top), int(right - left)), rng)
                image[top:bottom, left:right] = view.image
                corner = np.array([left, top])
                boxes.append(view.boxes + np.tile(corner, 2))
                landmarks.append(view.landmarks + corner)
                sure.append(view.sure)
        image = damaged(image, rng)
        return Scene(
            torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))),
            torch.from_numpy(np.concatenate(boxes)).float(),
            torch.from_numpy(np.concatenate(landmarks)).nan_to_num().float(),
            torch.from_numpy(np.concatenate(sure)),
        )

    def view(self, size: tuple[int, int], rng: np.random.Generator) -> View:
        """A view of a photograph, at a face or anywhere, in some light, with things in front."""
        view = self.look_anywhere(size, rng) if rng.random() < ANYWHERE else self.look_at_face(size, rng)
        image = lit(view.image, rng) if rng.random() < 0.85 else view.image.copy()
        if rng.random() < 0.15:
            image = shaded(image, rng)
        for box in view.boxes[view.sure]:
            if rng.random() < 0.15:
                cover(image, box, rng)
        return view._replace(image=image)

    def look_at_face(self, size: tuple[int, int], rng: np.random.Generator) -> View:
        """View whose focus is a face, of any size that it has room for."""
        picture = self.with_faces[int(rng.integers(len(self.with_faces)))]
        box = picture.boxes[rng.choice(picture.sure.nonzero()[0])]
        longer = float(max(box[2:] - box[:2]))
        side = min(size)
        wanted = math.exp(rng.uniform(math.log(max(LEAST_SIZE + 2, side / 12)), math.log(side * 1.05)))
        wanted = min(wanted, ENLARGED * longer)
        reach = max(longer, max(picture.copies[0].shape) / 3)
        x, y = (length / 2 + rng.uniform(-0.5, 0.5) * max(0.0, length - wanted) for length in size[::-1])
        tilted = rng.random() < 0.5
        matrix = view_matrix(
            (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2),
            (x, y),
            wanted / longer,
            rolled(rng),
            (rng.uniform(-TILT, TILT) / reach * tilted, rng.uniform(-TILT, TILT) / reach * tilted),
        )
        stretch = np.diag([np.exp(rng.normal(0, 0.08)), 1.0, 1.0]) if rng.random() < 0.5 else np.eye(3)
        return seen_through(picture, matrix @ about(stretch, box), size, rng.random() < 0.5, beyond(rng))

    def look_anywhere(self, size: tuple[int, int], rng: np.random.Generator) -> View:
        """View of any place of any photograph, sometimes scribbled over."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        height, width = picture.copies[0].shape[:2]
        least = min(1.0, max(size) / max(height, width))
        matrix = view_matrix(
            (rng.uniform(0, width), rng.uniform(0, height)),
            (size[1] / 2, size[0] / 2),
            math.exp(rng.uniform(math.log(least), math.log(1.5))),
            rolled(rng),
        )
        view = seen_through(picture, matrix, size, rng.random() < 0.5, beyond(rng))
        if not len(view.boxes) and rng.random() < 0.3:
            scribble(view.image, rng)
        return view


def rolled(rng: np.random.Generator) -> float:
    """Turn of a view in radians."""
    return rng.normal(0, 0.25) if rng.random() < UPRIGHT else rng.uniform(-np.pi, np.pi)


def beyond(rng: np.random.Generator) -> tuple[int, int, int] | None:
    """What lies beyond a photograph, see `seen_through`."""
    return None if rng.random() < 0.5 else any_colour(rng)


def about(matrix: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Linear map whose fixed point is the middle of a box."""
    middle = np.append((box[:2] + box[2:]) / 2, 1.0)
    out = matrix.copy()
    out[:2, 2] = middle[:2] - matrix[:2, :2] @ middle[:2]
    return out
