"""Charbonnier penalty, the reconstruction loss L_rec (HIME, Section 5.1)."""

import torch
from jaxtyping import Float
from torch import Tensor


def charbonnier_loss(
    sr: Float[Tensor, "b c h w"], hr: Float[Tensor, "b c h w"], epsilon: float = 1e-3
) -> Float[Tensor, ""]:
    """Mean over all elements of ``sqrt((hr - sr)^2 + epsilon^2)``, an L1 distance that is smooth at zero.

    The paper prints the norm of the whole image under the root, which would make it an L2 distance; the penalty it
    cites (Lai et al., 2017) takes the root of every element, and so does this. Computed in float32 at least.

    Args:
        sr: Super-resolved images, in [0, 1].
        hr: True images, in [0, 1].
        epsilon: Difference, in units of the image, below which the penalty turns quadratic. It is also the loss of
            two equal images.

    Raises:
        ValueError: If the shapes differ or `epsilon` is not positive.

    Example:
        >>> round(charbonnier_loss(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.4), epsilon=0.3).item(), 6)
        0.5
    """
    if sr.shape != hr.shape:
        raise ValueError(
            f"The Charbonnier loss compares images of one shape, got {tuple(sr.shape)} and {tuple(hr.shape)}."
        )
    if epsilon <= 0:
        raise ValueError(f"The Charbonnier loss needs an epsilon above zero, got {epsilon}.")
    difference = sr.to(torch.promote_types(sr.dtype, torch.float32)) - hr
    return (difference * difference + epsilon**2).sqrt().mean()
