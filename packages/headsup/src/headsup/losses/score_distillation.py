"""Score distillation: a frozen diffusion model says how restored latents should change to look natural.

L_reg of HeadsUp, Eq. 2, is the VSD of OSEDiff (Wu et al., 2024). Two models judge the restored latent z, noised to
z_t: "real", the frozen teacher, and "fake", one that knows what restored latents look like. VSD (Wang et al.,
ProlificDreamer, 2023) trains the second one along; CSD (Yu et al., 2024) takes the teacher without its prompt for it.
Everything is computed in float32: guidance enlarges the rounding of half precision as it does any difference.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from headsup.model.schedule import NoiseSchedule

GUIDANCE_SCALE = 7.5
"""Scale of the teacher's guidance in OSEDiff and PiSA-SR; HeadsUp takes over their weights and does not name it."""

LEAST_DISTANCE = 1e-6
"""Least mean distance of a latent from the teacher's that a gradient is divided by."""


def guided(
    conditional: Float[Tensor, "b c h w"], unconditional: Float[Tensor, "b c h w"], scale: float
) -> Float[Tensor, "b c h w"]:
    """Classifier-free guidance (Ho and Salimans, 2022): away from the second prediction, through the first one.

    Args:
        conditional: Prediction for the prompt.
        unconditional: Prediction for the empty prompt or, as in OSEDiff, the negative one.
        scale: 0 is the second prediction, 1 the first.

    Example:
        >>> one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
        >>> guided(one, zero, 7.5).item()
        7.5
    """
    return unconditional.float() + scale * (conditional.float() - unconditional.float())


@torch.no_grad()
def distillation_gradient(
    z: Float[Tensor, "b c h w"], fake: Float[Tensor, "b c h w"], real: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """Direction g = (fake - real) / mean|z - real| that z should not go, of OSEDiff (Wu et al., 2024).

    The mean is that of each sample. It is at least `LEAST_DISTANCE`, and what is no finite number becomes zero: a
    sample that a model fails on is left alone. OSEDiff guards neither.

    Args:
        z: Restored latents.
        fake: Clean latents z_0 in the opinion of the model of restored images.
        real: Clean latents z_0 in the opinion of the teacher.

    Example:
        >>> z, fake, real = (torch.full((1, 1, 1, 2), value) for value in (1.0, 4.0, 3.0))
        >>> distillation_gradient(z, fake, real).tolist()
        [[[[0.5, 0.5]]]]
    """
    z, fake, real = z.float(), fake.float(), real.float()
    distance = (z - real).abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST_DISTANCE)
    return ((fake - real) / distance).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def score_distillation_loss(z: Float[Tensor, "b c h w"], gradient: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Mean of (z - stopgrad(z - g))^2, whose gradient to z is 2 g / (b c h w).

    Its value is the mean of g^2 and says nothing of progress: it may well rise.

    Args:
        z: Restored latents.
        gradient: g of `variational_gradient` or `classifier_gradient`.
    """
    z = z.float()
    return F.mse_loss(z, (z - gradient).detach())


def variational_gradient(
    schedule: NoiseSchedule,
    z: Float[Tensor, "b c h w"],
    z_t: Float[Tensor, "b c h w"],
    t: Int[Tensor, " b"],
    regularizer: Float[Tensor, "b c h w"],
    conditional: Float[Tensor, "b c h w"],
    unconditional: Float[Tensor, "b c h w"],
    scale: float = GUIDANCE_SCALE,
) -> Float[Tensor, "b c h w"]:
    """G of variational score distillation, VSD, as OSEDiff has it.

    Args:
        schedule: Noise of the timesteps, and what the models predict.
        z: Restored latents.
        z_t: The same with noise, ``schedule.add_noise(z, noise, t)``.
        t: Timesteps; OSEDiff draws them from 20 to 979.
        regularizer: Prediction at z_t for the prompt, of the model that is trained on restored latents.
        conditional: The teacher's for the prompt.
        unconditional: The teacher's for the negative prompt.
        scale: Guidance of the teacher.
    """
    fake = schedule.clean(z_t, regularizer, t)
    real = schedule.clean(z_t, guided(conditional, unconditional, scale), t)
    return distillation_gradient(z, fake, real)


def classifier_gradient(
    schedule: NoiseSchedule,
    z: Float[Tensor, "b c h w"],
    z_t: Float[Tensor, "b c h w"],
    t: Int[Tensor, " b"],
    conditional: Float[Tensor, "b c h w"],
    unconditional: Float[Tensor, "b c h w"],
    scale: float = GUIDANCE_SCALE,
) -> Float[Tensor, "b c h w"]:
    """G of classifier score distillation, CSD, which needs no regularizer.

    CSD (Yu et al., 2024) descends along eps(z_t, prompt) - eps(z_t). In clean latents that is z_0() - z_0(prompt),
    where z_0() is the teacher's without prompt: fake is the teacher without prompt, real the guided teacher, as in
    PiSA-SR (Sun et al., 2024). A clean latent is affine in the prediction, so that fake - real is
    ``scale * (z_0() - z_0(prompt))``: the scale is a weight, up to the distance of z from the guided teacher's latent
    that it is divided by. PiSA-SR draws t up to half of all timesteps.

    Args:
        schedule: Noise of the timesteps, and what the teacher predicts.
        z: Restored latents.
        z_t: The same with noise, ``schedule.add_noise(z, noise, t)``.
        t: Timesteps.
        conditional: The teacher's prediction at z_t for the prompt.
        unconditional: The teacher's for the empty or the negative prompt.
        scale: Guidance of the teacher.
    """
    return variational_gradient(schedule, z, z_t, t, unconditional, conditional, unconditional, scale)


def denoising_loss(
    schedule: NoiseSchedule,
    prediction: Float[Tensor, "b c h w"],
    z: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b c h w"],
    t: Int[Tensor, " b"],
) -> Float[Tensor, ""]:
    """The loss that VSD's regularizer is trained with: mean squared error of its prediction at noised latents.

    Args:
        schedule: Noise of the timesteps, and what the regularizer predicts.
        prediction: The regularizer's at ``schedule.add_noise(z, noise, t)``.
        z: Restored latents; no gradient comes back to them.
        noise: Noise of the latents, drawn anew.
        t: Timesteps; OSEDiff draws them from all.
    """
    return F.mse_loss(prediction.float(), schedule.target(z.detach(), noise, t))
