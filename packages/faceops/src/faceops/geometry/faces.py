"""The faces found in a batch of images, as one ragged set of tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from faceops.geometry.boxes import areas, rescaled_boxes, rescaled_points

LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""Order of the landmarks; left and right are those of the image, not of the person."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces of a batch of images, one row each.

    Convention: coordinates are (x, y) in pixels of the image that the face is in, pixel centres at integers. Boxes
    may reach beyond the border of the image, where a face does.

    Raises:
        ValueError: If the numbers of rows differ, or a tensor has another shape.

    Example:
        >>> eyes = torch.tensor([[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [35.0, 80.0], [65.0, 80.0]])
        >>> faces = Faces(
        ...     torch.tensor([0]), torch.tensor([[20.0, 10.0, 80.0, 95.0]]), eyes.unsqueeze(0), torch.tensor([0.9])
        ... )
        >>> len(faces), faces.eye_distance().item()
        (1, 40.0)
    """

    image_index: Int[Tensor, " n"]
    """Index of the image in the batch, for each face."""
    boxes: Float[Tensor, "n 4"]
    """Left, top, right and bottom edge."""
    landmarks: Float[Tensor, "n 5 2"]
    """Points in the order of `LANDMARKS`."""
    scores: Float[Tensor, " n"]
    """Confidence of the detector, in [0, 1]; not comparable between detectors."""

    def __post_init__(self) -> None:
        count = self.scores.shape[0] if self.scores.ndim else 0
        wanted = {"image_index": (count,), "boxes": (count, 4), "landmarks": (count, 5, 2), "scores": (count,)}
        for name, shape in wanted.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"The {name} of {count} faces must have the shape {shape}, got {found}.")
        if self.image_index.is_floating_point() or self.image_index.dtype == torch.bool:
            raise ValueError(f"image_index must be whole numbers, got {self.image_index.dtype}.")

    def __len__(self) -> int:
        return self.scores.shape[0]

    def of(self, image: int) -> "Faces":
        """Faces of one image; they keep its index."""
        return self.select(self.image_index == image)

    def select(self, which: Bool[Tensor, " n"] | Int[Tensor, " m"]) -> "Faces":
        """Faces that a mask or indices name."""
        return Faces(*(getattr(self, field.name)[which] for field in fields(self)))

    def eye_distance(self) -> Float[Tensor, " n"]:
        """Distance of the eyes in pixels, along the line between them.

        FaceLib's figure of that name is another, about half as large: it takes the x of an eye and of the nose.
        """
        return (self.landmarks[:, 1] - self.landmarks[:, 0]).norm(dim=-1)

    def points(self) -> Float[Tensor, "n 7 2"]:
        """Two corners of each box, then the landmarks."""
        return torch.cat([self.boxes.unflatten(1, (2, 2)), self.landmarks], dim=1)

    def with_points(self, points: Float[Tensor, "n 7 2"]) -> "Faces":
        """The same faces at other `points`."""
        return Faces(self.image_index, points[:, :2].flatten(1), points[:, 2:], self.scores)

    def area(self) -> Float[Tensor, " n"]:
        """Area of the boxes in square pixels."""
        return areas(self.boxes)

    def largest(self) -> "Faces":
        """The face of the largest box in every image that has one, ordered by image."""
        return self._first_by(self.area())

    def likeliest(self) -> "Faces":
        """The face of the highest score in every image that has one, ordered by image."""
        return self._first_by(self.scores)

    def _first_by(self, value: Float[Tensor, " n"]) -> "Faces":
        order = value.argsort(descending=True, stable=True)
        order = order[self.image_index[order].argsort(stable=True)]
        images = self.image_index[order]
        first = torch.ones_like(images, dtype=torch.bool)
        first[1:] = images[1:] != images[:-1]
        return self.select(order[first])

    def ordered(self) -> "Faces":
        """By image, then the highest score first, then from top to bottom and from left to right."""
        order = torch.arange(len(self), device=self.scores.device)
        for key in (self.boxes[:, 0], self.boxes[:, 1], -self.scores, self.image_index):
            order = order[key[order].argsort(stable=True)]
        return self.select(order)

    def rescaled(self, across: float, down: float | None = None) -> "Faces":
        """The same faces in images of another size, see `faceops.geometry.boxes.rescaled_points`.

        Args:
            across: Width of the new images for each pixel of the old width.
            down: Likewise of their height; None for `across`.

        Example:
            >>> faces = Faces(torch.tensor([0]), torch.ones(1, 4), torch.ones(1, 5, 2), torch.ones(1))
            >>> faces.rescaled(2.0).boxes
            tensor([[2.5000, 2.5000, 2.5000, 2.5000]])
        """
        down = across if down is None else down
        boxes, landmarks = rescaled_boxes(self.boxes, across, down), rescaled_points(self.landmarks, across, down)
        return Faces(self.image_index, boxes, landmarks, self.scores)

    def to(self, device: torch.device | str) -> "Faces":
        """The same faces on another device."""
        return Faces(*(getattr(self, field.name).to(device) for field in fields(self)))

    @classmethod
    def none(cls, device: torch.device | str = "cpu") -> "Faces":
        """No face."""
        return cls(
            torch.zeros(0, dtype=torch.int64, device=device),
            torch.zeros(0, 4, device=device),
            torch.zeros(0, 5, 2, device=device),
            torch.zeros(0, device=device),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Faces"]) -> "Faces":
        """All faces of several sets; their image indices are kept, so they must count the same images."""
        if not parts:
            return cls.none()
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))
