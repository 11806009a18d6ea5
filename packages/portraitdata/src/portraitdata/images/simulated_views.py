"""Simulated further photographs of somebody of whom there is one: tilted, moved, mirrored, lit differently and blurred.

For demonstrations that need no download. They match better than photographs of another day do, and whoever shows them
has to say so.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.landmarks import MIRRORED


@dataclass(frozen=True)
class Square:
    """A part of a photograph, in its pixels."""

    top: int
    left: int
    side: int

    @property
    def centre(self) -> Float[Tensor, " xy=2"]:
        """Its middle, x and y, in the convention that pixel centres are integers."""
        return torch.tensor([self.left + (self.side - 1) / 2, self.top + (self.side - 1) / 2])

    def cut(self, photograph: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 s s"]:
        """That part, not resampled."""
        return photograph[:, self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class View:
    """A simulated further photograph.

    Args:
        name: What is different, for the caption.
        angle: Rotation about the middle in degrees, counter-clockwise as seen.
        zoom: Magnification.
        shift: Movement to the right and down in pixels.
        mirrored: Whether left and right change places.
        gamma: Exponent on the values; below one is brighter.
        gain: Factors of red, green and blue, the colour of the light.
        blur: Standard deviation of a Gaussian in pixels.
    """

    name: str
    angle: float
    zoom: float
    shift: tuple[float, float]
    mirrored: bool
    gamma: float
    gain: tuple[float, float, float]
    blur: float

    @property
    def turn(self) -> Float[Tensor, "2 2"]:
        """Matrix by which an offset from the middle of the photograph becomes one in the view, the shift left out."""
        angle = radians(self.angle)
        turned = self.zoom * torch.tensor([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        return turned if not self.mirrored else torch.diag(torch.tensor([-1.0, 1.0])) @ turned

    def moved(self, landmarks: Float[Tensor, "5 2"], part: Square) -> Float[Tensor, "5 2"]:
        """Five landmarks of a face in the photograph, in pixels of the view of a part of it.

        Args:
            landmarks: Eyes, nose, corners of the mouth, in pixels of the photograph.
        """
        there = (landmarks - part.centre) @ self.turn.T + torch.tensor(self.shift) + (part.side - 1) / 2
        return there[MIRRORED] if self.mirrored else there


def simulate(photograph: Float[Tensor, "3 h w"], view: View, part: Square) -> Float[Tensor, "3 s s"]:
    """A part of a photograph as another photograph might show it, in [0, 1].

    Args:
        photograph: The whole photograph, so that what turns into view is real too.
    """
    height, width = photograph.shape[-2:]
    axis = torch.arange(part.side) + 0.5 - part.side / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    offsets = (torch.stack((x, y), dim=-1) - torch.tensor(view.shift)) @ torch.linalg.inv(view.turn).T
    source = offsets + part.centre + 0.5
    grid = 2 * source / torch.tensor([width, height]) - 1
    blurred = gaussian_blur(photograph, view.blur)[None]
    out = F.grid_sample(blurred, grid[None], mode="bicubic", align_corners=False)[0]
    return (out.clamp(0, 1) ** view.gamma * torch.tensor(view.gain).reshape(3, 1, 1)).clamp(0, 1)


def gaussian_blur(image: Float[Tensor, "3 h w"], sigma: float) -> Float[Tensor, "3 h w"]:
    """Blur by a Gaussian of standard deviation `sigma` in pixels, edges repeated."""
    reach = max(1, round(3 * sigma))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    planes = F.pad(image[:, None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(planes, kernel), kernel.mT)[:, 0]


def astronaut() -> Float[Tensor, "3 512 512"]:
    """NASA's portrait of the astronaut Eileen Collins (public domain), from the installed files of scikit-image.

    Raises:
        ValueError: If scikit-image is not installed.
    """
    try:
        from skimage.data import astronaut as photograph
    except ImportError as error:
        raise ValueError("The demo's photograph comes with scikit-image: pip install scikit-image.") from error
    return torch.from_numpy(photograph()).permute(2, 0, 1).float() / 255
