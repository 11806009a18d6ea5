"""High-resolution image reconstruction (HIME, Section 3.4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hime.blocks.residual import damped_kaiming_, residual_stack


class Reconstructor(nn.Module):
    """R: k_r residual blocks and a sub-pixel upsampling of the fused features F_f to the residual image.

    The paper's operation counts leave next to nothing for work at high resolution, so one convolution at low
    resolution makes all 3 * s^2 sub-pixels.

    Args:
        blocks: k_r; the paper uses 20.
    """

    def __init__(self, channels: int, blocks: int, scale: int) -> None:
        super().__init__()
        self.blocks = residual_stack(channels, blocks)
        self.subpixel = nn.Conv2d(channels, 3 * scale**2, 3, padding=1)
        self.depth_to_space = nn.PixelShuffle(scale)
        icnr_(self.subpixel, scale)

    def forward(self, fused: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 sh sw"]:
        """Residual of the high-resolution image, in units of the image."""
        return self.depth_to_space(self.subpixel(self.blocks(fused)))


def icnr_(conv: nn.Conv2d, scale: int) -> None:
    """Initialise a sub-pixel convolution as nearest-neighbour upsampling (Aitken et al., 2017).

    The s^2 filters of one output channel start equal, so the shuffled image starts without a checkerboard.
    """
    seed = nn.Conv2d(conv.in_channels, conv.out_channels // scale**2, conv.kernel_size)  # type: ignore[arg-type]
    damped_kaiming_(seed)
    with torch.no_grad():
        conv.weight.copy_(seed.weight.repeat_interleave(scale**2, dim=0))
        if conv.bias is not None:
            conv.bias.zero_()
