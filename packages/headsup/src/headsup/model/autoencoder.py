"""Images to latents and back, with any AutoencoderKL of diffusers (E and D of HeadsUp, Section 2.4)."""

import math

import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from jaxtyping import Float
from torch import Tensor


def patch_side(vae: AutoencoderKL) -> int:
    """Pixels on the side of the squares that the autoencoder takes as one pixel of many channels.

    1 for Stable Diffusion. The small model has 2: its first and last layers, a third of the work of an autoencoder,
    then run on a quarter of the pixels.
    """
    return math.isqrt(vae.config.in_channels // 3)


def latent_factor(vae: AutoencoderKL) -> int:
    """Image pixels on the side of a latent pixel."""
    return int(patch_side(vae) * 2 ** (len(vae.config.block_out_channels) - 1))


def network_input(vae: AutoencoderKL, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k ph pw"]:
    """Images as the encoder takes them: in [-1, 1], of its type, squares of pixels as channels."""
    return F.pixel_unshuffle((2 * images - 1).to(vae.dtype), patch_side(vae))


def images_of(vae: AutoencoderKL, output: Float[Tensor, "b k ph pw"]) -> Float[Tensor, "b 3 h w"]:
    """Images from what the decoder gives, in float32; in [0, 1] but for overshoots."""
    return (F.pixel_shuffle(output.float(), patch_side(vae)) + 1) / 2


def posterior(vae: AutoencoderKL, images: Float[Tensor, "b 3 h w"]) -> DiagonalGaussianDistribution:
    """Distribution of the latents, not scaled; ValueError if a side is not a multiple of the latent pixel."""
    factor = latent_factor(vae)
    if images.shape[2] % factor or images.shape[3] % factor:
        raise ValueError(f"Sides must be multiples of {factor} pixels, got {images.shape[3]} x {images.shape[2]}.")
    distribution: DiagonalGaussianDistribution = vae.encode(network_input(vae, images)).latent_dist
    return distribution


def encode(vae: AutoencoderKL, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
    """Latents, scaled as the denoiser wants them, in float32: the mode of the posterior.

    HeadsUp does not say whether it samples. OSEDiff does, and gives another picture every time.

    Raises:
        ValueError: If a side is not a multiple of the latent pixel.
    """
    latents: Tensor = posterior(vae, images).mode()
    return latents.float() * vae.config.scaling_factor


def decode(vae: AutoencoderKL, latents: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
    """Images of scaled latents, RGB in [0, 1] but for overshoots: clipped values would have no gradient.

    OSEDiff clips before its losses; the paper is silent.
    """
    return images_of(vae, vae.decode((latents / vae.config.scaling_factor).to(vae.dtype)).sample)
