"""Discriminator of perception-oriented training, HIME_P (HIME, Section 5.1); the paper does not describe it."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2
"""Negative slope of the leaky rectifiers, that of patch discriminators (Isola et al., 2017)."""


class Discriminator(nn.Module):
    """Patch discriminator: strided 4x4 convolutions under spectral normalisation (Miyato et al., 2018).

    Every logit judges one overlapping patch, with the default settings 78 x 78 pixels, one every 16 pixels. It has
    0.69 million parameters and needs 0.11 billion multiplications for a headshot of 128 x 128 pixels, a quarter of
    what HIME (small) needs to make one, so it trains on a CPU as well.

    Args:
        channels: Channels of the first layer; every further layer has twice as many.
        layers: Strided layers; each halves the resolution.

    Raises:
        ValueError: If there is no layer or no channel.
    """

    def __init__(self, channels: int = 32, layers: int = 4) -> None:
        super().__init__()
        if channels < 1 or layers < 1:
            raise ValueError(f"A discriminator has at least 1 channel and 1 layer, got {channels} and {layers}.")
        self.stride = 2**layers
        widths = [3, *(channels * 2**i for i in range(layers))]
        body: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            body += [spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)), nn.LeakyReLU(LEAK)]
        self.body = nn.Sequential(*body)
        self.head = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 y x"]:
        """Logits of the patches, high for real ones.

        Args:
            images: RGB in [0, 1].

        Raises:
            ValueError: If the images are smaller than the stride of the patches.
        """
        if min(images.shape[-2:]) < self.stride:
            raise ValueError(
                f"The discriminator needs images of at least {self.stride} x {self.stride} pixels, "
                f"got {images.shape[-2]} x {images.shape[-1]}."
            )
        logits: Tensor = self.head(self.body(2 * images - 1))
        return logits
