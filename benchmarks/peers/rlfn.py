"""RLFN (Kong et al., Residual Local Feature Network for Efficient Super-Resolution, 2022): x4 of one image.

Winner of NTIRE 2022's efficient super-resolution by run time. Written from the paper's Figures 2 to 4 and from the
names and shapes in the published weights.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from portraitdata.networks.safe_loading import load_safely

SCALE = 4
BLOCKS = 4
CHANNELS, INNER, ATTENTION = 46, 48, 16
"""Channels between blocks, within a block and within its attention, of the network for NTIRE."""
SLOPE = 0.05
"""Of the leaky rectifiers."""


class SpatialAttention(nn.Module):
    """ESA: how much every pixel counts, from a much smaller map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, ATTENTION, 1)
        self.conv_f = nn.Conv2d(ATTENTION, ATTENTION, 1)
        self.conv2 = nn.Conv2d(ATTENTION, ATTENTION, 3, stride=2)
        self.conv3 = nn.Conv2d(ATTENTION, ATTENTION, 3, padding=1)
        self.conv4 = nn.Conv2d(ATTENTION, CHANNELS, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Weigh the pixels; sides of 15 at least."""
        reduced = self.conv1(x)
        small = self.conv3(F.max_pool2d(self.conv2(reduced), kernel_size=7, stride=3))
        spread = F.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(spread + self.conv_f(reduced)))


class LocalFeatures(nn.Module):
    """RLFB: three convolutions around which the input is led, then attention."""

    def __init__(self) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(CHANNELS, INNER, 3, padding=1)
        self.c2_r = nn.Conv2d(INNER, INNER, 3, padding=1)
        self.c3_r = nn.Conv2d(INNER, CHANNELS, 3, padding=1)
        self.c5 = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.esa = SpatialAttention()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Refine features."""
        y = x
        for conv in (self.c1_r, self.c2_r, self.c3_r):
            y = F.leaky_relu(conv(y), SLOPE)
        return self.esa(self.c5(x + y))


class RLFN(nn.Module):
    """The network for NTIRE 2022, 317,218 parameters, trained on pictures of anything reduced by bicubic."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(3, CHANNELS, 3, padding=1)
        for number in range(1, BLOCKS + 1):
            setattr(self, f"block_{number}", LocalFeatures())
        self.conv_2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.upsampler = nn.Sequential(nn.Conv2d(CHANNELS, 3 * SCALE**2, 3, padding=1), nn.PixelShuffle(SCALE))

    def forward(self, lr: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 sh sw"]:
        """Super-resolve RGB in [0, 1]; inside it is 0 to 255."""
        first = self.conv_1(lr * 255)
        x = first
        for number in range(1, BLOCKS + 1):
            x = getattr(self, f"block_{number}")(x)
        return self.upsampler(self.conv_2(x) + first) / 255

    @classmethod
    def load(cls, path: Path) -> "RLFN":
        """With published weights (`rlfn_ntire_x4.pth`), in evaluation mode.

        Raises:
            ValueError: If the file cannot be read safely.
            RuntimeError: If it holds another network.
        """
        network = cls()
        network.load_state_dict(load_safely(path))
        return network.eval()
