"""Real-ESRGAN's compact network (SRVGGNetCompact): convolutions at the input's size, then pixel shuffle, by four."""

from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from portraitdata.networks.safe_loading import load_safely

SCALE = 4


class SRVGG(nn.Module):
    """Adds to the input, enlarged by repeating pixels, what convolutions and learnt rectifiers make of it.

    Args:
        width: Channels between the convolutions.
        depth: Convolutions between the first and the last.
    """

    def __init__(self, width: int = 64, depth: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth + 1):
            layers += [nn.Conv2d(width if number else 3, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * SCALE**2, 3, padding=1))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 lh lw"]:
        """Images four times as large; RGB around [0, 1], not clamped."""
        return F.pixel_shuffle(self.body(images), SCALE) + F.interpolate(images, scale_factor=SCALE)


def load_srvgg(path: Path) -> SRVGG:
    """The network with published weights, frozen; width and depth are told by these.

    Args:
        path: File of tensors `body.N.weight` and `body.N.bias`.

    Raises:
        ValueError: If the file is damaged.
        RuntimeError: If it holds another network.
    """
    tensors = {name: tensor.float() for name, tensor in load_safely(path).items()}
    last = max(int(name.split(".")[1]) for name in tensors)
    network = SRVGG(len(tensors["body.0.bias"]), last // 2 - 1)
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)
