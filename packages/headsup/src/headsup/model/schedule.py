"""Noise schedule of a diffusion model; closed forms between z_0, noise and v (HeadsUp, Sections 2.1 and 2.4)."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

PredictionType = Literal["epsilon", "v_prediction"]


class NoiseSchedule(nn.Module):
    """Signal and noise of every timestep: z_t = alpha_t z_0 + beta_t eps.

    The paper writes the denoising step as z_H = (z_L - beta eps) / alpha and calls alpha and beta "the diffusion
    scalar"; they are the square roots of the cumulated products, sqrt(abar_t) and sqrt(1 - abar_t), not the betas of
    its Section 2.1. Everything is computed in float32: at t = 999 the division by alpha = 0.068 enlarges a rounding
    error 14.6 times, which bfloat16 does not survive. The two roots are taken in float64 and then kept: at t = 0 the
    difference 1 - abar_0 would lose four of float32's seven digits.

    Args:
        alphas_cumprod: abar of every timestep.

    Raises:
        ValueError: If the prediction type is not known.
    """

    alphas: Tensor
    betas: Tensor

    def __init__(self, alphas_cumprod: Tensor, prediction_type: PredictionType = "epsilon") -> None:
        super().__init__()
        if prediction_type not in get_args(PredictionType):
            raise ValueError(
                f"A denoiser that predicts {prediction_type!r} has no closed form here: it must predict "
                f"{' or '.join(get_args(PredictionType))}, as Stable Diffusion 2.1-base and 2.1 do."
            )
        self.prediction_type = prediction_type
        self.config: dict[str, Any] = {}
        """Configuration it was made from, in diffusers' terms."""
        abar = alphas_cumprod.double()
        self.register_buffer("alphas", abar.sqrt().float(), persistent=False)
        self.register_buffer("betas", (1 - abar).sqrt().float(), persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> "NoiseSchedule":  # noqa: ANN401 - torch's own signature
        # A module that is turned into bfloat16 must not take the schedule with it.
        device = fn(self.alphas).device
        self.alphas, self.betas = self.alphas.to(device), self.betas.to(device)
        return self

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "NoiseSchedule":
        """Schedule of a diffusers scheduler's configuration.

        Raises:
            ValueError: If its betas or what it predicts are of a kind that is not known.
        """
        steps = int(config.get("num_train_timesteps", 1000))
        start, end = float(config.get("beta_start", 0.0001)), float(config.get("beta_end", 0.02))
        kind = config.get("beta_schedule", "linear")
        if kind == "scaled_linear":
            betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64).square()
        elif kind == "linear":
            betas = torch.linspace(start, end, steps, dtype=torch.float64)
        else:
            raise ValueError(f"The noise schedule must be linear or scaled_linear, got {kind!r}.")
        if config.get("rescale_betas_zero_snr") or config.get("trained_betas") is not None:
            raise ValueError(
                "The noise schedule must be that of its betas alone: one that is rescaled to end in pure noise, or "
                "given as a table, is not known here."
            )
        schedule = cls((1 - betas).cumprod(0), config.get("prediction_type", "epsilon"))
        schedule.config = {
            "num_train_timesteps": steps,
            "beta_start": start,
            "beta_end": end,
            "beta_schedule": kind,
            "prediction_type": schedule.prediction_type,
        }
        return schedule

    def __len__(self) -> int:
        return len(self.alphas)

    def alpha(self, t: Int[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
        """Share of the signal, sqrt(abar_t)."""
        return self.alphas[t].view(-1, 1, 1, 1)

    def beta(self, t: Int[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
        """Share of the noise, sqrt(1 - abar_t)."""
        return self.betas[t].view(-1, 1, 1, 1)

    def add_noise(
        self, z: Float[Tensor, "b c h w"], noise: Float[Tensor, "b c h w"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """z_t = alpha_t z + beta_t noise."""
        return self.alpha(t) * z.float() + self.beta(t) * noise.float()

    def clean(
        self, z_t: Float[Tensor, "b c h w"], prediction: Float[Tensor, "b c h w"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """z_0 that a prediction amounts to: (z_t - beta eps) / alpha, or alpha z_t - beta v.

        The first is the denoising step of HeadsUp, Section 2.4, with z_t = z_L.
        """
        z_t, prediction = z_t.float(), prediction.float()
        if self.prediction_type == "epsilon":
            return (z_t - self.beta(t) * prediction) / self.alpha(t)
        return self.alpha(t) * z_t - self.beta(t) * prediction

    def target(
        self, z: Float[Tensor, "b c h w"], noise: Float[Tensor, "b c h w"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """Target of the denoiser at z_t: the noise, or v = alpha_t noise - beta_t z."""
        if self.prediction_type == "epsilon":
            return noise.float()
        return self.alpha(t) * noise.float() - self.beta(t) * z.float()
