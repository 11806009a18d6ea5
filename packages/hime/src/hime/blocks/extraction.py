"""Feature extractors of the low-resolution input and of the high-resolution references (HIME, Section 3.1)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from faceops.images.luma import BT601_LUMA
from hime.blocks.residual import LEAK, residual_stack


class LowResolutionExtractor(nn.Module):
    """Features F^L of the low-resolution input: a convolution and k_l residual blocks.

    Args:
        blocks: k_l; the paper uses 5.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.activation = nn.LeakyReLU(LEAK)
        self.blocks = residual_stack(channels, blocks)

    def forward(self, lr: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h w"]:
        """Extract F^L."""
        return self.blocks(self.activation(self.conv(lr)))


class HighResolutionExtractor(nn.Module):
    """Features F^ref of high-resolution references, at the resolution of the low-resolution input.

    Colour to one channel, space-to-depth by the scale (nothing is discarded), a convolution and k_h residual blocks.
    The paper speaks of "a mono-channel feature map": read as a learned 1x1 convolution, which starts as the BT.601
    luma and has three weights.

    Args:
        blocks: k_h; the paper uses 3.
        scale: Magnification s; a reference is s times as high and wide as the features.
    """

    def __init__(self, channels: int, blocks: int, scale: int) -> None:
        super().__init__()
        self.mono = nn.Conv2d(3, 1, 1, bias=False)
        with torch.no_grad():
            self.mono.weight.copy_(torch.tensor(BT601_LUMA).reshape(1, 3, 1, 1))
        self.space_to_depth = nn.PixelUnshuffle(scale)
        self.conv = nn.Conv2d(scale**2, channels, 3, padding=1)
        self.activation = nn.LeakyReLU(LEAK)
        self.blocks = residual_stack(channels, blocks)

    def forward(self, references: Float[Tensor, "b 3 sh sw"]) -> Float[Tensor, "b c h w"]:
        """Extract F^ref."""
        return self.blocks(self.activation(self.conv(self.space_to_depth(self.mono(references)))))
