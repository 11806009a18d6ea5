"""The residual block that every part of HIME is made of (HIME, Section 3.1, "residual blocks [22]")."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LEAK = 0.1
"""Negative slope of the leaky rectifiers outside the residual blocks; the paper names none."""


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))`` with 3x3 convolutions and no normalisation.

    The paper cites He et al. (2016), whose block has batch normalisation. It is left out here, as super-resolution
    networks lose accuracy by it. Both convolutions start at a tenth of the Kaiming scale, so that a deep stack starts
    near the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            damped_kaiming_(conv)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Add the residual."""
        return x + self.conv2(F.relu(self.conv1(x)))


def damped_kaiming_(conv: nn.Conv2d, factor: float = 0.1) -> None:
    """Kaiming-normal weights scaled by `factor`, zero bias."""
    nn.init.kaiming_normal_(conv.weight, a=0, mode="fan_in")
    conv.weight.data.mul_(factor)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def residual_stack(channels: int, blocks: int) -> nn.Sequential:
    """`blocks` residual blocks in a row."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
