"""Limit of a reference's effect to its face.

HeadsUp has a single denoising step that sees the reference, and nothing in it keeps the reference to the face: where
its latent ends, the result may show a rim, and the background may change. Here a second step sees no reference, and
the latents of the two are mixed: the one with a reference where the face is, the other elsewhere.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.similarity import invert
from faceops.geometry.warping import warp_affine

CENTRE = 0.5
"""Height of the middle of what is reached, in sides of a face aligned to FFHQ."""

RADII = 0.38, 0.32
"""Half the height and half the width of it, in the same unit: fringe to chin, and a little beyond the ears.

Chosen among seven shapes by the shipped weights on forty photographs that they were trained on: this one keeps the
likeness of the single step, with the highest SSIM and a border that shows little.
"""

FADE = 0.3
"""Part of the radii over which the reach falls to zero outside of that, before the reference itself ends."""


def face_reach(size: int) -> Float[Tensor, "1 1 {size} {size}"]:
    """Reach of a reference over an aligned face: one on an ellipse that holds it, zero at the edges of the square.

    Example:
        >>> [round(x, 2) for x in face_reach(100)[0, 0, 50, :50:7].tolist()]
        [0.0, 0.0, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    place = (torch.arange(size) + 0.5) / size
    radius = torch.hypot((place[:, None] - CENTRE) / RADII[0], (place[None, :] - 0.5) / RADII[1])
    share = ((1 + FADE - radius) / FADE).clamp(0, 1)
    return (share.square() * (3 - 2 * share))[None, None]


def lay_out_reach(
    matrix: Float[Tensor, "n 2 3"], side: int, image_index: Int[Tensor, " n"], size: tuple[int, int, int]
) -> Float[Tensor, "b 1 h w"]:
    """Reach of all references over pictures, in [0, 1]; the further one where two overlap.

    Args:
        matrix: From the input to the aligned face, see `faceops.geometry.alignment.alignment_matrix`.
        side: Of the aligned faces, in pixels.
        image_index: Which input each reference is for.
        size: Number of inputs, their height and width in pixels.
    """
    count, height, width = size
    reach = torch.zeros(count, 1, height, width, device=matrix.device)
    if len(matrix):
        aligned = face_reach(side).to(matrix.device).expand(len(matrix), -1, -1, -1)
        placed = warp_affine(aligned, invert(matrix), (height, width), antialias=True)
        for own, image in zip(placed, image_index.tolist(), strict=True):
            reach[image] = torch.maximum(reach[image], own)
    return reach


def at_latent_size(reach: Float[Tensor, "b 1 h w"], factor: int) -> Float[Tensor, "b 1 lh lw"]:
    """Reach at the resolution of the latents.

    Args:
        factor: Pixels of a side for each latent pixel.
    """
    return F.avg_pool2d(reach, factor)


def denoise_within(
    denoise: Callable[[Tensor, Tensor, Tensor], Tensor],
    z_l: Float[Tensor, "b c h w"],
    z_r: Float[Tensor, "b f h w"],
    mask: Float[Tensor, "b 1 h w"],
    reach: Float[Tensor, "b 1 h w"],
) -> Float[Tensor, "b c h w"]:
    """z_H of the step with references where they reach, and of the step without them elsewhere.

    Each step is computed only if some of it is used: where no face is in a tile, or nothing else, there is one.

    Args:
        denoise: The step, see `headsup.model.one_step.OneStepRestorer.denoise`; called with z_l, z_r and mask.
        z_r: What comes of the references, see `headsup.model.one_step.OneStepRestorer.find`.
        mask: Where their faces are.
        reach: Weight of the step with references; one everywhere is the step of the paper (HeadsUp, Section 2.4).
    """
    if bool((reach == 1).all()):
        return denoise(z_l, z_r, mask)
    without = denoise(z_l, torch.zeros_like(z_r), torch.zeros_like(mask))
    if not bool(reach.any()):
        return without
    return without.lerp(denoise(z_l, z_r, mask), reach.to(without.dtype))
