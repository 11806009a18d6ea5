"""Templates: where the five landmarks of an aligned face are."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

MIRRORED = [1, 0, 2, 4, 3]
"""Numbers of the five landmarks in a mirrored image: left and right change places."""


@dataclass(frozen=True)
class Template:
    """Landmarks of an aligned face of a given size.

    Convention: points are (x, y) in pixels of the aligned image, pixel centres at integers, in the order left eye,
    right eye, nose, left mouth corner, right mouth corner, left and right being those of the image.

    Example:
        >>> round(FFHQ_512.eye_distance(), 2)
        125.92
    """

    name: str
    points: tuple[tuple[float, float], ...]
    """Five (x, y)."""
    size: int
    """Side of the square aligned image, in pixels."""
    source: str
    """Where the numbers are from."""

    def scaled(self, size: int) -> "Template":
        """The same window of the face in an image of another size.

        Convention: the corners of the windows coincide, so a pixel centre x is moved to (x + 0.5) * ratio - 0.5. An
        aligned face and a larger one that is then reduced show the same. facexlib and insightface multiply the
        coordinates by the ratio instead, which shifts the window by (ratio - 1) / 2 pixels.

        Raises:
            ValueError: If the size is not positive.

        Example:
            >>> ARCFACE_112.scaled(224).points[0]
            (77.0892, 103.8926)
        """
        if size < 1:
            raise ValueError(f"An aligned face needs a side of at least one pixel, got {size}.")
        if size == self.size:
            return self
        ratio = size / self.size
        points = tuple(((x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5) for x, y in self.points)
        return Template(self.name, points, size, self.source)

    def tensor(self, device: torch.device | str = "cpu") -> Float[Tensor, "n 2"]:
        """Points in float64."""
        return torch.tensor(self.points, dtype=torch.float64, device=device)

    def eye_distance(self) -> float:
        """Distance of the eyes in pixels."""
        left, right = self.tensor()[:2]
        return (right - left).norm().item()


FFHQ_512 = Template(
    "ffhq",
    (
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ),
    512,
    "facexlib, FaceRestoreHelper: mean landmarks of FFHQ at 512 pixels; the face with hair and chin",
)
"""Window of face restoration networks (GFPGAN, CodeFormer, DAEFR) and of HeadsUp's face losses."""

ARCFACE_112 = Template(
    "arcface",
    ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
    112,
    "insightface, face_align.arcface_dst; the inner face, without hair",
)
"""Window of face recognition networks (ArcFace, AdaFace, MobileFaceNet, EdgeFace)."""

LFW_250 = Template(
    "lfw",
    ((104.0, 113.0), (147.0, 112.0), (126.0, 138.0), (107.0, 158.0), (145.0, 157.0)),
    250,
    "mean landmarks of Labeled Faces in the Wild, deep-funnelled; the head with its surroundings",
)
"""Window of the photographs on which HIME was trained, which see the middle 128 pixels of it."""
