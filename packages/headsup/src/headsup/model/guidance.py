"""A branch at full resolution beside the latent, and what it adds to the decoder.

Everything that the one-step restorer sees goes through a latent of an eighth of the resolution, so that even an
undamaged picture comes back without its finest detail. HeadsUp lives with that; here a small network without
normalisation looks at the enlarged input itself. Its features join those of the decoder at an eighth, a quarter and
half of the resolution, as in StableSR's controllable feature wrapping (Wang et al., 2023) and GuideSR (2025).

With `details` the branch also sees a reference, placed on the picture: what an attended latent says of a face is a few
numbers for eight pixels, too little for anybody's own eyes.

The guided decoder gives two pictures in one pass. The faithful one is the input and a residual, trained by nothing but
the distance from the truth; the restored one is what people want to see. At first neither changes anything.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

from headsup.model.autoencoder import images_of, latent_factor

Output = Literal["decoded", "residual"]
"""Output of the decoder: the picture (``decoded``), or a residual added to the faithful picture (``residual``)."""

FACTOR = 8
"""Pixels of the picture on the side of a pixel of the coarsest features."""

STEP = 2
"""Pixels on the side of the squares that the finest features stand for."""


PICTURE, COVERED = 3, 4
"""Channels of a picture, and of a placed reference and how much of it covers each pixel."""


class Guide(NamedTuple):
    """Features of a picture, from coarse to fine, and what the branch alone makes of it."""

    features: tuple[Float[Tensor, "b c8 h8 w8"], Float[Tensor, "b c4 h4 w4"], Float[Tensor, "b c2 h2 w2"]]
    """At 1/8, 1/4 and 1/2 of its size."""
    picture: Float[Tensor, "b 3 h w"]
    """The input and a residual, RGB in [0, 1] but for overshoots, float32."""


class Guided(NamedTuple):
    """Output of a guided decoder, RGB in [0, 1] but for overshoots, float32."""

    restored: Float[Tensor, "b 3 h w"]
    faithful: Float[Tensor, "b 3 h w"]


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; the second starts at zero, so that the block changes nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = cleared(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Add the branch to the input."""
        return x + self.second(F.silu(self.first(x)))


class Branch(nn.Module):
    """A small U-Net of plain convolutions from 1/2 to 1/8 of the resolution and back.

    No normalisation: the result at a pixel depends on the pixels within `reach` alone, so that pieces of a picture
    can be computed by themselves.

    Args:
        width: Channels at 1/2; twice as many at 1/4, three times at 1/8.
        blocks: Residual blocks at 1/8, and at 1/4 each way; at 1/2 there is one each way.
        details: Whether it also sees references placed on the picture.
    """

    def __init__(self, width: int, blocks: int = 2, details: bool = False) -> None:
        super().__init__()
        half, quarter, eighth = width, 2 * width, 3 * width
        self.blocks = blocks
        self.stem = nn.Conv2d(PICTURE * STEP**2, half, 3, padding=1)
        # of references, when there are any: nothing at first, and a convolution the less for a picture without
        self.reference_stem = cleared(nn.Conv2d(COVERED * STEP**2, half, 3, padding=1, bias=False)) if details else None
        self.half_down = ResidualBlock(half)
        self.to_quarter = nn.Conv2d(half, quarter, 2, stride=2)
        self.quarter_down = stack(quarter, blocks)
        self.to_eighth = nn.Conv2d(quarter, eighth, 2, stride=2)
        self.eighth = stack(eighth, blocks)
        self.from_eighth = nn.Conv2d(eighth, quarter, 1)
        self.quarter_up = stack(quarter, blocks)
        self.from_quarter = nn.Conv2d(quarter, half, 1)
        self.half_up = ResidualBlock(half)
        self.head = cleared(nn.Conv2d(half, PICTURE * STEP**2, 3, padding=1))

    @property
    def details(self) -> bool:
        """True if it sees references."""
        return self.reference_stem is not None

    @property
    def channels(self) -> tuple[int, int, int]:
        """Channels of the features at 1/8, 1/4 and 1/2."""
        return self.from_eighth.in_channels, self.from_quarter.in_channels, self.head.in_channels

    @property
    def reach(self) -> int:
        """Pixels of the picture around a piece of it on which the result may depend; a multiple of `FACTOR`."""
        half, quarter, eighth = 2 + 2 * 2, 2 * 2 * self.blocks, 2 * self.blocks
        pixels = STEP * half + 2 * STEP * quarter + FACTOR * eighth
        return -(-pixels // FACTOR) * FACTOR + FACTOR  # a pixel of 1/8 may begin before the piece does

    def forward(self, picture: Float[Tensor, "b 3 h w"], placed: Float[Tensor, "b 4 h w"] | None = None) -> Guide:
        """Features and the branch's own picture.

        Args:
            picture: Enlarged input, RGB in [0, 1], sides multiples of `FACTOR`.
            placed: References on it, see `headsup.model.reference_layout.lay_out_covered`; None for none. Of no effect
                without `details`.
        """
        stem = self.stem(squares(2 * picture - 1).to(self.stem.weight.dtype))
        if placed is not None and self.reference_stem is not None:
            faces, cover = placed.split((PICTURE, COVERED - PICTURE), dim=1)
            seen = squares(torch.cat([2 * faces - cover, cover], dim=1))  # the faces' values too from -1 to 1
            stem = stem + self.reference_stem(seen.to(stem.dtype))
        half = self.half_down(stem)
        quarter = self.quarter_down(self.to_quarter(half))
        eighth = self.eighth(self.to_eighth(quarter))
        quarter = self.quarter_up(quarter + doubled(self.from_eighth(eighth)))
        half = self.half_up(half + doubled(self.from_quarter(quarter)))
        residual = F.pixel_shuffle(self.head(half).float(), STEP)
        return Guide((eighth, quarter, half), picture.float() + residual)


class Join(nn.Module):
    """Adds to a decoder's features what two convolutions make of them and of the branch's; zero at first."""

    def __init__(self, guide: int, decoder: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(guide + decoder, guide, 1)
        self.add = cleared(nn.Conv2d(guide, decoder, 3, padding=1))

    def forward(self, x: Float[Tensor, "b d h w"], guide: Float[Tensor, "b g h w"]) -> Float[Tensor, "b d h w"]:
        """Features of the decoder, with what the branch adds to them."""
        # the sum of two convolutions: these maps, the largest that there are, need not be copied beside each other
        weight, own = self.mix.weight, x.shape[1]
        mixed = F.conv2d(x.to(weight.dtype), weight[:, :own], self.mix.bias)
        mixed += F.conv2d(guide.to(weight.dtype), weight[:, own:])
        added: Tensor = self.add(F.silu(mixed, inplace=not torch.is_grad_enabled()))
        return x + added.to(x.dtype)


class Finish(nn.Module):
    """Two convolutions at full resolution behind the squares of pixels, whose grid they can smooth; zero at first.

    Args:
        width: Channels between them.
    """

    REACH = 2
    """Pixels around a piece on which it depends."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(9, width, 3, padding=1)
        self.second = cleared(nn.Conv2d(width, 3, 3, padding=1))

    def forward(
        self, restored: Float[Tensor, "b 3 h w"], faithful: Float[Tensor, "b 3 h w"], picture: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 3 h w"]:
        """The restored picture, finished; all RGB in [0, 1] but for overshoots."""
        seen = torch.cat([restored, faithful, picture], dim=1).to(self.first.weight.dtype)
        return restored + self.second(F.silu(self.first(2 * seen - 1))).float()


class Guidance(nn.Module):
    """The branch, its joins with a decoder, the faithful picture's last convolution and the restored one's last two.

    Args:
        output: What the decoder gives.
        blocks: Residual blocks of the branch, see `Branch`.
        details: Whether it sees references, likewise.

    Raises:
        ValueError: If the autoencoder does not reduce by 8, as those of Stable Diffusion and the small model do.
    """

    def __init__(
        self, vae: AutoencoderKL, width: int, output: Output = "decoded", blocks: int = 2, details: bool = False
    ) -> None:
        super().__init__()
        if latent_factor(vae) != FACTOR:
            raise ValueError(
                f"Guidance is for autoencoders that reduce by {FACTOR}, as that of Stable Diffusion; this one reduces "
                f"by {latent_factor(vae)}."
            )
        self.output: Output = output
        self.branch = Branch(width, blocks, details)
        deep, *others = reversed(vae.config.block_out_channels)
        widths = zip(self.branch.channels, (deep, deep, others[0]), strict=True)
        self.joins = nn.ModuleList(Join(guide, decoder) for guide, decoder in widths)
        self.head = cleared(nn.Conv2d(vae.config.block_out_channels[0], vae.config.out_channels, 3, padding=1))
        self.finish = Finish()
        if output == "residual":
            cleared(vae.decoder.conv_out)

    @property
    def details(self) -> bool:
        """True if the branch sees references."""
        return self.branch.details

    def forward(self, picture: Float[Tensor, "b 3 h w"], placed: Float[Tensor, "b 4 h w"] | None = None) -> Guide:
        """Features of an enlarged input, RGB in [0, 1], and of references on it, see `Branch`."""
        guide: Guide = self.branch(picture, placed)
        return guide

    def outputs(self, vae: AutoencoderKL, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        """Output of the decoder and residual of the faithful picture, from the decoder's last features.

        Args:
            features: Normalised and activated.
        """
        residual = self.head(features.to(self.head.weight.dtype))
        decoded: Tensor = vae.decoder.conv_out(features)
        return torch.cat([decoded, residual.to(decoded.dtype)], dim=1)

    def compose(
        self,
        vae: AutoencoderKL,
        outputs: Float[Tensor, "b k ph pw"],
        own: Float[Tensor, "b 3 h w"],
        picture: Float[Tensor, "b 3 h w"],
    ) -> Guided:
        """Both pictures. The restored one's losses do not change the faithful one's last convolution.

        Args:
            own: The branch's picture.
        """
        decoded, residual = (images_of(vae, each) for each in outputs.chunk(2, dim=1))
        faithful = own + (residual - 0.5)
        restored = decoded if self.output == "decoded" else faithful.detach() + (decoded - 0.5)
        return Guided(self.finish(restored, faithful.detach(), picture), faithful)


def stack(channels: int, blocks: int) -> nn.Sequential:
    """Residual blocks one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


def squares(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c4 h2 w2"]:
    """Squares of pixels as channels."""
    return F.pixel_unshuffle(x, STEP)


def doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Every pixel as a square of four."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


@torch.no_grad()
def cleared(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights of zero."""
    for parameter in layer.parameters():
        parameter.zero_()
    return layer


def guided_decode(
    vae: AutoencoderKL,
    guidance: Guidance,
    latents: Float[Tensor, "b c lh lw"],
    guide: Guide,
    picture: Float[Tensor, "b 3 h w"],
) -> Guided:
    """Both pictures of scaled latents.

    Args:
        latents: Latents, scaled as `headsup.model.autoencoder.encode` gives them.
        guide: Features of the enlarged input.
    """
    decoder = vae.decoder
    checkpointed = torch.is_grad_enabled() and decoder.gradient_checkpointing

    def run(block: nn.Module, x: Tensor) -> Tensor:
        result: Tensor = decoder._gradient_checkpointing_func(block, x) if checkpointed else block(x)
        return result

    z = (latents / vae.config.scaling_factor).to(vae.dtype)
    if vae.post_quant_conv is not None:
        z = vae.post_quant_conv(z)
    x = run(decoder.mid_block, decoder.conv_in(z))
    x = guidance.joins[0](x, guide.features[0])
    for block, join, features in zip(decoder.up_blocks[:2], guidance.joins[1:], guide.features[1:], strict=True):
        x = join(run(block, x), features)
    for block in decoder.up_blocks[2:]:
        x = run(block, x)
    outputs = guidance.outputs(vae, decoder.conv_act(decoder.conv_norm_out(x)))
    return guidance.compose(vae, outputs, guide.picture, picture)
