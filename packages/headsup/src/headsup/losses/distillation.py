"""Distillation of the base model's prior into the restorer, with one denoiser in three roles (L_reg of HeadsUp, Eq. 2).

What OSEDiff keeps three denoisers for, one does: with the generator's adapter it restores, with the regularizer's it
is "fake", without any it is "real".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.losses.score_distillation import (
    GUIDANCE_SCALE,
    classifier_gradient,
    denoising_loss,
    variational_gradient,
)
from headsup.model.adapters import REGULARIZER
from headsup.model.one_step import OneStepRestorer
from headsup.model.seeded_noise import draw_noise, draw_timesteps

Form = Literal["vsd", "csd", "none"]


@dataclass(frozen=True)
class Distillation:
    """Distillation of the prior.

    Args:
        form: ``vsd`` with a regularizer that is trained along, as in HeadsUp and OSEDiff; ``csd`` without one, as in
            PiSA-SR: four of nine passes through the denoiser are saved; ``none`` not at all.
        guidance: Scale of the teacher's guidance away from the negative prompt.
        earliest: Least timestep at which latents are judged, as a share of all.
        latest: Greatest one, likewise. PiSA-SR's is 0.5.
    """

    form: Form = "vsd"
    guidance: float = GUIDANCE_SCALE
    earliest: float = 0.02
    latest: float = 0.98

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise ValueError(f"The form of distillation is {', '.join(get_args(Form))}; got {self.form!r}.")
        if not 0 <= self.earliest < self.latest <= 1:
            raise ValueError(
                f"Timesteps are drawn between two shares of all, got {self.earliest} to {self.latest}; OSEDiff has "
                "0.02 to 0.98."
            )


@torch.no_grad()
def prior_gradient(
    restorer: OneStepRestorer,
    z: Float[Tensor, "b c h w"],
    prompt: Float[Tensor, "b n d"],
    negative: Float[Tensor, "1 n d"],
    distillation: Distillation,
    sources: Sequence[torch.Generator],
) -> Float[Tensor, "b c h w"]:
    """G at random timesteps, see `headsup.losses.score_distillation`; the generator's adapter is active afterwards.

    Args:
        restorer: Whose denoiser is teacher and regularizer.
        z: Restored latents.
        prompt: Embedded prompts.
        negative: Embedded negative prompt.
        distillation: How.
        sources: Random numbers for each sample, see `headsup.model.seeded_noise.generators`.

    Raises:
        ValueError: If the form is ``none``.
    """
    if distillation.form == "none":
        raise ValueError("Without distillation there is no gradient of a prior to compute.")
    steps = len(restorer.schedule)
    t = draw_timesteps(sources, round(distillation.earliest * steps), round(distillation.latest * steps))
    z_t = restorer.schedule.add_noise(z, draw_noise(sources, z), t)
    both = torch.cat([prompt, negative.to(prompt).expand_as(prompt)])
    conditional, unconditional = restorer.predict_with(None, z_t.repeat(2, 1, 1, 1), t.repeat(2), both).chunk(2)
    if distillation.form == "csd":
        return classifier_gradient(restorer.schedule, z, z_t, t, conditional, unconditional, distillation.guidance)
    fake = restorer.predict_with(REGULARIZER, z_t, t, prompt)
    return variational_gradient(restorer.schedule, z, z_t, t, fake, conditional, unconditional, distillation.guidance)


def regularizer_loss(
    restorer: OneStepRestorer,
    z: Float[Tensor, "b c h w"],
    prompt: Float[Tensor, "b n d"],
    sources: Sequence[torch.Generator],
) -> Float[Tensor, ""]:
    """The regularizer's own loss at random timesteps; its adapter must be active, also when `backward` runs.

    Args:
        restorer: Whose denoiser is the regularizer.
        z: Restored latents; no gradient comes back to them.
        prompt: Embedded prompts.
        sources: Random numbers for each sample, see `headsup.model.seeded_noise.generators`.
    """
    z = z.detach()
    t = draw_timesteps(sources, 0, len(restorer.schedule))
    noise = draw_noise(sources, z)
    prediction = restorer.predict_with(REGULARIZER, restorer.schedule.add_noise(z, noise, t), t, prompt)
    return denoising_loss(restorer.schedule, prediction, z, noise, t)
