"""Faces at any turn, found again on close-ups that their landmarks turn upright.

The landmarks of a first look tell well how a face is turned, and less well where its eyes are. Upright and at a size
that the detector knows best they are twice as exact, and what is no face is rarely seen again.
``python -m benchmarks any_turn`` compares them.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.close_ups import AT_ONCE, SAME, mirrored
from faceops.detection.detector import Detector
from faceops.detection.exact_landmarks.second_look import ExactLandmarks
from faceops.detection.mean_look import MeanLook
from faceops.detection.suppression import suppress_overlaps
from faceops.detection.turned_views import in_the_middle, seen_back
from faceops.geometry.alignment import alignment_matrix, crop_faces
from faceops.geometry.boxes import longer_sides
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512

SIDES = (128,)
"""Sides of the close-ups in pixels; each is also looked at mirrored."""

FIRST_THRESHOLD = 0.25
"""Score from which on a face is worth a second look."""

LEAST_THRESHOLD = 0.05
"""Score below which nothing gets a second look, whatever the threshold: thousands have less, which take minutes."""

EYES_APART = 0.42
"""Usual distance of the eyes in longer sides of a face's box."""


class UprightLook:
    """A detector of faces at any turn that looks at each face again, upright.

    Box and landmarks are the means over the close-ups; of a likely face that is on none, those of the likeliest turn by
    quarters. The score is the mean of the first one and of those of the close-ups, of which one without the face counts
    as zero.

    Args:
        detector: Finds faces at any turn, those of a low score too, and names their landmarks as if they were upright.
        network: Finds faces of ordinary size, on close-ups.
        threshold: Least score of a face, in [0, 1].
        sides: Of the close-ups, in pixels.
        exact: Finds the landmarks in the end; None leaves them as the detector has them.
    """

    def __init__(
        self,
        detector: Detector,
        network: Detector,
        threshold: float,
        sides: Sequence[int] = SIDES,
        exact: ExactLandmarks | None = None,
    ) -> None:
        self.detector, self.network, self.threshold, self.sides = detector, network, threshold, sides
        self.exact = exact

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces.

        Args:
            images: RGB in [0, 1].
        """
        faces = self.detector(images)
        # a lower score cannot become the least mean
        faces = faces.select(faces.scores >= 2 * self.threshold - 1)
        # landmarks that coincide turn nothing upright
        faces = faces.select((faces.landmarks != faces.landmarks[:, :1]).flatten(1).any(dim=1))
        if not len(faces):
            return faces
        chunks = torch.arange(len(faces), device=faces.scores.device).split(AT_ONCE)
        again = Faces.concatenate([self._again(images, faces.select(chunk)) for chunk in chunks])
        again = again.select(again.scores >= self.threshold)
        again = again.select(suppress_overlaps(again.boxes, again.scores, again.image_index, SAME))
        if self.exact is not None:
            again = self.exact(images, again)
            again = again.select(again.scores >= self.threshold)
        return again.ordered()

    def _again(self, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Faces:
        seen = look_upright(self.network, images, faces, self.sides)
        # whoever is sure of a face and then loses it took its turn for another
        lost = (seen.scores <= faces.scores / 2) & (faces.scores >= self.threshold)
        if not lost.any():
            return seen
        guesses = Faces.concatenate([turned_guess(faces.select(lost), quarters) for quarters in range(4)])
        tried = look_upright(self.network, images, guesses, self.sides)
        best = tried.scores.unflatten(0, (4, -1)).argmax(dim=0)
        found = tried.select(best * int(lost.sum()) + torch.arange(len(best), device=best.device))
        return Faces.concatenate([seen.select(~lost), found])


def turned_guess(faces: Faces, quarters: int) -> Faces:
    """The same faces with the landmarks that faces of their boxes would have, turned by quarters to the right."""
    shape = FFHQ_512.tensor(faces.boxes.device).to(faces.boxes)
    shape = (shape - shape.mean(dim=0)) / FFHQ_512.eye_distance()
    for _ in range(quarters):
        shape = torch.stack((-shape[:, 1], shape[:, 0]), dim=1)
    middle, unit = (faces.boxes[:, None, :2] + faces.boxes[:, None, 2:]) / 2, EYES_APART * longer_sides(faces.boxes)
    return Faces(faces.image_index, faces.boxes, middle + unit[:, None, None] * shape, faces.scores)


def look_upright(network: Detector, images: Float[Tensor, "b 3 h w"], faces: Faces, sides: Sequence[int]) -> Faces:
    """The same faces with the mean box, landmarks and score of upright close-ups.

    A face that is not found again stays where it is.

    Args:
        network: Finds faces of ordinary size.
        images: RGB in [0, 1].
        faces: Whose landmarks are apart.
        sides: Of the close-ups, in pixels.
    """
    look, scores = MeanLook(faces), torch.zeros_like(faces.scores)
    for side in sides:
        matrix = alignment_matrix(faces.landmarks, side)
        crops = crop_faces(images, matrix, faces.image_index, side).crops
        for seen in (network(crops), mirrored(network(crops.flip(-1)), side)):
            seen = seen.select(in_the_middle(seen, side)).likeliest()
            owner = seen.image_index
            look.add(owner, seen_back(seen, matrix[owner]))
            scores[owner] += seen.scores
    again = look.mean()
    return Faces(again.image_index, again.boxes, again.landmarks, (faces.scores + scores / (2 * len(sides))) / 2)
