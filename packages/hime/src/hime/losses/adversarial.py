"""Adversarial losses, L_adv (HIME, Eq. 10).

The paper says neither which form of adversarial training it uses nor with which weight. Two common forms are here:
the relativistic average one (Jolicoeur-Martineau, 2019, Section 4.2), usual in super-resolution since ESRGAN, and the
non-saturating one (Goodfellow et al., 2014). Both are written with softplus, ``-log sigmoid(x) = softplus(-x)``, which
neither over- nor underflows, and in float32 at least.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

AdversarialForm = Literal["relativistic", "non_saturating"]


def adversarial_discriminator_loss(
    real_logits: Float[Tensor, "*real"], fake_logits: Float[Tensor, "*fake"], form: AdversarialForm = "relativistic"
) -> Float[Tensor, ""]:
    """Loss of the discriminator: real ones should be told from generated ones.

    Relativistic: a real logit should be above the mean generated one, and a generated one below the mean real one.
    Means run over all logits of the batch, patches included. Two equal sets of equal logits cost 2 log 2 in
    either form.

    Args:
        real_logits: Logits of true images.
        fake_logits: Logits of generated images, made from detached images.

    Example:
        >>> zero = torch.zeros(2, 1, 4, 4)
        >>> round(adversarial_discriminator_loss(zero, zero).item(), 4)
        1.3863
    """
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    if form == "relativistic":
        real, fake = real - fake.mean(), fake - real.mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def adversarial_generator_loss(
    fake_logits: Float[Tensor, "*fake"],
    real_logits: Float[Tensor, "*real"] | None = None,
    form: AdversarialForm = "relativistic",
) -> Float[Tensor, ""]:
    """Loss of the generator: generated images should pass for real.

    Relativistic: the discriminator's loss with the two sets exchanged. Its gradient to the generator comes from both
    of its terms.

    Args:
        fake_logits: Logits of generated images.
        real_logits: Logits of true images; the non-saturating form needs none.

    Raises:
        ValueError: If the relativistic form is given no real logits.

    Example:
        >>> round(adversarial_generator_loss(torch.zeros(2, 1, 4, 4), form="non_saturating").item(), 4)
        0.6931
    """
    if form == "non_saturating":
        return F.softplus(-at_least_float32(fake_logits)).mean()
    if real_logits is None:
        raise ValueError("The relativistic generator loss compares with the logits of true images, got none.")
    return adversarial_discriminator_loss(fake_logits, real_logits, form)


def at_least_float32(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Widen half-precision logits; leave others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
