"""Discriminator of the face adversarial loss (HeadsUp, Section 2.3); the paper does not describe it."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2
"""Negative slope of the leaky rectifiers."""


class FaceDiscriminator(nn.Module):
    """U-Net discriminator under spectral normalisation (Wang et al., Real-ESRGAN, 2021; Schönfeld et al., 2020).

    Aligned faces are alike as a whole and differ in detail: a U-Net judges every pixel, knowing its surroundings. It
    is Real-ESRGAN's with half of its channels: 1.1 million parameters, 1.6 billion multiplications for a face of 128 x
    128 pixels, 16 times as many at 512 x 512. There is no batch statistic, so it takes any number of faces, also none.

    Args:
        channels: Channels at full resolution; every level has twice as many.
        levels: How often the resolution is halved.
        square: Side of the squares of pixels that it takes as one pixel of more channels, as the small autoencoder
            does: with 2 it judges squares of four pixels in a quarter of the work.

    Raises:
        ValueError: If there is no level, no channel or no pixel in a square.
    """

    def __init__(self, channels: int = 32, levels: int = 3, square: int = 1) -> None:
        super().__init__()
        if min(channels, levels, square) < 1:
            raise ValueError(
                f"A discriminator has at least 1 channel, 1 level and squares of 1 pixel, got {channels}, {levels} and "
                f"{square}."
            )
        self.square = square
        widths = [channels * 2**level for level in range(levels + 1)]
        self.stem = nn.Conv2d(3 * square**2, channels, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False)) for width in widths[:-1]
        )
        self.up = nn.ModuleList(
            spectral_norm(nn.Conv2d(2 * width, width, 3, padding=1, bias=False)) for width in reversed(widths[:-1])
        )
        self.body = nn.ModuleList(
            spectral_norm(nn.Conv2d(channels, channels, 3, padding=1, bias=False)) for _ in range(2)
        )
        self.head = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, faces: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 1 t t"]:
        """Logits of the pixels or squares, high for real ones.

        Args:
            faces: Aligned faces or pictures, RGB in [0, 1].

        Raises:
            ValueError: If the faces are too small for all levels.
        """
        least = self.square * 2 ** len(self.down)
        if faces.shape[-1] < least:
            raise ValueError(
                f"The discriminator needs faces of at least {least} x {least} pixels, got {faces.shape[-1]}."
            )
        x = F.leaky_relu(self.stem(in_squares(2 * faces - 1, self.square)), LEAK)
        skips = []
        for layer in self.down:
            skips.append(x)
            x = F.leaky_relu(layer(x), LEAK)
        for layer in self.up:
            skip = skips.pop()
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), LEAK) + skip
        for layer in self.body:
            x = F.leaky_relu(layer(x), LEAK)
        logits: Tensor = self.head(x)
        return logits


def in_squares(x: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n d y x"]:
    """Squares of pixels as channels, of no picture, too, which torch's `pixel_unshuffle` leaves as it is.

    Example:
        >>> import torch
        >>> x = torch.arange(32.0).view(2, 1, 4, 4)
        >>> in_squares(x, 2).equal(F.pixel_unshuffle(x, 2)), in_squares(x[:0], 2).shape
        (True, torch.Size([0, 4, 2, 2]))
    """
    parts = x.unflatten(3, (x.shape[3] // side, side)).unflatten(2, (x.shape[2] // side, side))
    return parts.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
