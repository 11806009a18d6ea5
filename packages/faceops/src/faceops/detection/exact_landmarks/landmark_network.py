"""The network for landmarks: a map of each on an upright close-up, and the middle of its mass.

A landmark is where its map is, so that the picture decides and not how most faces are (Sun et al., ECCV 2018).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.detection.detectors.any_turn_network import ConvUnit, Residual
from faceops.geometry.faces import LANDMARKS
from faceops.geometry.landmarks import ARCFACE_112

SIDE = 64
"""Of a close-up, in pixels."""

WINDOW = ARCFACE_112.scaled(SIDE)
"""Where the landmarks of a close-up are about."""

STEP = 4
"""Pixels of a close-up to a cell of a map."""


class LandmarkNetwork(nn.Module):
    """Landmarks of upright faces.

    Args:
        fine: Channels of the maps at half and at a quarter of the side.
        coarse: Channels at an eighth.
        folded: Build it without normalisation, for folded weights.
    """

    def __init__(self, fine: int = 32, coarse: int = 64, folded: bool = False) -> None:
        super().__init__()
        self.fine, self.coarse = fine, coarse
        self.stem = nn.Sequential(ConvUnit(3, fine // 2, 3, 2, folded), ConvUnit(fine // 2, fine, 3, 2, folded))
        self.near = nn.Sequential(Residual(fine, folded), Residual(fine, folded))
        self.around = nn.Sequential(
            ConvUnit(fine, coarse, 3, 2, folded), Residual(coarse, folded), Residual(coarse, folded)
        )
        self.back = ConvUnit(coarse, fine, 1, 1, folded)
        self.last = Residual(fine, folded)
        self.maps = nn.Conv2d(fine, len(LANDMARKS), 3, padding=1)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 5 h w"]:
        """Maps of the landmarks, see `middles`, in float32.

        Args:
            x: RGB in [-1, 1], aligned to `WINDOW` about.
        """
        near = self.near(self.stem(x))
        wide = F.interpolate(self.back(self.around(near)), scale_factor=2.0, mode="nearest")
        maps: Tensor = self.maps(self.last(near + wide))
        return maps.float()

    def fold(self) -> "LandmarkNetwork":
        """Take all normalisations into the convolutions, in place."""
        for module in list(self.modules()):
            if isinstance(module, ConvUnit):
                module.fold()
        return self.eval()


def middles(maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """Where the middle of each map's mass is, x and y in pixels of the close-up.

    Args:
        maps: Logarithms of mass, up to a constant; a cell is a square of `STEP` pixels.

    Example:
        >>> maps = torch.zeros(1, 1, 16, 16)
        >>> maps[0, 0, 2, 5] = 100.0
        >>> middles(maps).tolist()  # of pixels 20 to 23, and 8 to 11
        [[[21.5, 9.5]]]
    """
    shares = maps.flatten(2).softmax(dim=2).unflatten(2, maps.shape[2:])
    down, across = (STEP * torch.arange(side, device=maps.device) + (STEP - 1) / 2 for side in maps.shape[2:])
    return torch.stack([(shares.sum(dim=2) * across).sum(dim=2), (shares.sum(dim=3) * down).sum(dim=2)], dim=2)


def spread(maps: Float[Tensor, "b k h w"]) -> Float[Tensor, " b"]:
    """How wide the mass of the maps is spread: their mean entropy, 0 for single cells.

    Args:
        maps: As of `middles`.

    Example:
        >>> round(spread(torch.zeros(1, 5, 16, 16)).item(), 4)  # the logarithm of 256
        5.5452
    """
    logarithms = maps.flatten(2).log_softmax(dim=2)
    return -(logarithms.exp() * logarithms).sum(dim=2).mean(dim=1)
