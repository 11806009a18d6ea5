"""Mean box and landmarks of faces that are looked at several times."""

import torch
from torch import Tensor

from faceops.geometry.faces import Faces


class MeanLook:
    """Sums up where faces are found again; a face that is not found again stays where it is.

    Args:
        faces: The faces, as they were found first.

    Example:
        >>> first = Faces(torch.tensor([0]), torch.zeros(1, 4), torch.zeros(1, 5, 2), torch.ones(1))
        >>> look = MeanLook(first)
        >>> for left in (1.0, 2.0):
        ...     look.add(torch.tensor([0]), Faces(first.image_index, first.boxes + left, first.landmarks, first.scores))
        >>> look.mean().boxes
        tensor([[1.5000, 1.5000, 1.5000, 1.5000]])
    """

    def __init__(self, faces: Faces) -> None:
        self.faces = faces
        self.points = faces.landmarks.new_zeros(len(faces), 7, 2)
        """Sums of the two corners of a box and of the landmarks."""
        self.looks = faces.scores.new_zeros(len(faces))

    def add(self, which: Tensor, seen: Faces) -> None:
        """Add one look.

        Args:
            which: Numbers of the faces that it shows, each once, in the order of `seen`.
            seen: Those faces, in the coordinates of the first look.
        """
        self.points[which] += seen.points()
        self.looks[which] += 1

    def mean(self) -> Faces:
        """The faces at the mean of all looks, with the scores of the first one."""
        again = self.looks > 0
        mean = self.points / self.looks.clamp(min=1)[:, None, None]
        return self.faces.with_points(torch.where(again[:, None, None], mean, self.faces.points()))
