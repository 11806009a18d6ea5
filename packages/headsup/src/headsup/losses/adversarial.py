"""Face adversarial loss, L_F^adv (HeadsUp, Section 2.3), in its hinge form (Lim and Ye, 2017; Miyato et al., 2018).

The paper names the term and gives neither form nor weight nor discriminator, and no row of its ablation (Table 4) has
it. Its third term even prints L_F for L_F^adv and lists the reference among its arguments; whether a discriminator
sees it is not said, and here it does not.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from portraitdata.images.resampling import bicubic


def adversarial_discriminator_loss(
    real_logits: Float[Tensor, "n 1 y x"], fake_logits: Float[Tensor, "m 1 y x"]
) -> Float[Tensor, ""]:
    """Mean of max(0, 1 - real) plus mean of max(0, 1 + fake): tell real faces from restored ones, by a margin.

    A set without faces adds exactly zero and stays part of the graph. Computed in float32 at least.

    Args:
        real_logits: Logits of true faces.
        fake_logits: Logits of restored faces, made from detached images.

    Example:
        >>> import torch
        >>> adversarial_discriminator_loss(torch.full((1, 1, 2, 2), 0.25), torch.full((1, 1, 2, 2), -3.0)).item()
        0.75
    """
    return mean(F.relu(1 - wide(real_logits))) + mean(F.relu(1 + wide(fake_logits)))


def adversarial_generator_loss(fake_logits: Float[Tensor, "n 1 y x"]) -> Float[Tensor, ""]:
    """Mean of -fake: restored faces should pass for real.

    Without faces it is exactly zero and stays part of the graph. Computed in float32 at least.

    Args:
        fake_logits: Logits of restored faces.
    """
    return mean(-wide(fake_logits))


def damage_share(lq: Float[Tensor, "b 3 u v"], hq: Float[Tensor, "b 3 h w"], full: float) -> Float[Tensor, "b 1 1 1"]:
    """Damage of every image: mean absolute error of the enlarged input, as a share of `full`, at most 1.

    The less is lost, the less is a restorer to invent.

    Args:
        lq: Inputs, RGB in [0, 1].
        hq: Ground truth, RGB in [0, 1].
        full: Error in [0, 1] that counts as 1.
    """
    enlarged = bicubic(lq, *hq.shape[2:]).clamp(0, 1)
    return ((enlarged - hq).abs().mean(dim=(1, 2, 3), keepdim=True) / full).clamp(max=1)


def mean(values: Float[Tensor, "n 1 y x"]) -> Float[Tensor, ""]:
    """Mean, and zero of nothing."""
    return values.sum() / max(values.numel(), 1)


def wide(logits: Float[Tensor, "n 1 y x"]) -> Float[Tensor, "n 1 y x"]:
    """Widen half-precision logits; leave others as they are."""
    return logits if logits.element_size() >= 4 else logits.float()
