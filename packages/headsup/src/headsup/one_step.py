"""The restorer G = (E~, eps~, D): encode, one denoising step, decode (HeadsUp, Section 2.4)."""

from collections.abc import Iterator

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from headsup.adapters import (
    GENERATOR,
    REGULARIZER,
    Adapter,
    AdapterSwitch,
    adapter_parameters,
    add_adapter,
    denoiser_targets,
    encoder_targets,
)
from headsup.autoencoder import decode, encode
from headsup.backbone import Backbone
from headsup.conditioned_input import ConditionedInput, PreciseOutput


class OneStepRestorer(nn.Module):
    """One-step restorer on a frozen latent diffusion model, with LoRA adapters in encoder and denoiser.

    The decoder is frozen.

    Args:
        backbone: Diffusion model; it is changed, and belongs to this module from now on.
        rank: Rank of the adapters.
        alpha: What an adapter adds is multiplied by alpha / rank.
        timestep: t of the single step. The paper does not say; OSEDiff's is 999.
        seed: Seed of the adapters.
    """

    vae: AutoencoderKL
    unet: UNet2DConditionModel

    def __init__(self, backbone: Backbone, rank: int = 4, alpha: int = 8, timestep: int = 999, seed: int = 0) -> None:
        super().__init__()
        if not 0 <= timestep < len(backbone.schedule):
            raise ValueError(f"The timestep must be from 0 to {len(backbone.schedule) - 1}, got {timestep}.")
        self.vae, self.unet, self.schedule = backbone.vae, backbone.unet, backbone.schedule
        self.factor, self.channels, self.source = backbone.factor, backbone.channels, backbone.source
        self.rank, self.alpha, self.timestep = rank, alpha, timestep
        self.unet.conv_in = ConditionedInput(self.unet.conv_in)
        self.unet.conv_out = PreciseOutput(self.unet.conv_out)
        targets = denoiser_targets(self.unet)
        for name, left_out in ((GENERATOR, "conv_in.base"), (REGULARIZER, "conv_in.own")):
            chosen = [target for target in targets if target != left_out]
            add_adapter(self.unet, name, chosen, rank, alpha, seed)
        add_adapter(self.vae, GENERATOR, encoder_targets(self.vae), rank, alpha, seed)
        self.switch = AdapterSwitch(self.unet)
        self.switch.activate(GENERATOR)
        self._train_only_what_is_trained()

    def _train_only_what_is_trained(self) -> None:
        self.requires_grad_(False)
        for parameter in (*self.generator_parameters().values(), *self.regularizer_parameters().values()):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)

    def generator_parameters(self) -> dict[str, nn.Parameter]:
        """Theta of G: adapters of encoder and denoiser and the first convolution, by name. All that is shipped."""
        own = {
            f"unet.{n}": p
            for n, p in self.unet.named_parameters()
            if n.startswith("conv_in.own.") and ".lora_" not in n
        }
        found = {f"unet.{name}": p for name, p in adapter_parameters(self.unet, GENERATOR).items()}
        encoder = {f"vae.{name}": p for name, p in adapter_parameters(self.vae, GENERATOR).items()}
        return own | found | encoder

    def regularizer_parameters(self) -> dict[str, nn.Parameter]:
        """Adapter of the regulariser, by name."""
        return {f"unet.{name}": p for name, p in adapter_parameters(self.unet, REGULARIZER).items()}

    def checkpoint_activations(self) -> None:
        """Keep no activations of encoder, denoiser and decoder but compute them again in `backward`."""
        self.unet.enable_gradient_checkpointing()
        self.vae.enable_gradient_checkpointing()

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Latents z = E~(x), see `headsup.autoencoder.encode`."""
        return encode(self.vae, images)

    def denoise(
        self,
        z_l: Float[Tensor, "b c lh lw"],
        z_r: Float[Tensor, "b c lh lw"],
        mask: Float[Tensor, "b 1 lh lw"],
        prompt: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c lh lw"]:
        """z_H = (z_L - beta eps~(z_L, z_r, M)) / alpha, in float32 (HeadsUp, Section 2.4).

        Args:
            z_l: Latents of the input.
            z_r: Latents of the references; zero where there is none.
            mask: Where the face is that the reference is for; zero where there is none.
            prompt: Embedded prompts.
        """
        t = torch.full((len(z_l),), self.timestep, device=z_l.device)
        prediction = self.predict(torch.cat([z_l, z_r, mask], dim=1), t, prompt)
        return self.schedule.clean(z_l, prediction, t)

    def decode(self, latents: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """Images D(z), see `headsup.autoencoder.decode`."""
        return decode(self.vae, latents)

    def forward(
        self,
        lq: Float[Tensor, "b 3 h w"],
        prompt: Float[Tensor, "b n d"],
        reference: Float[Tensor, "b 3 h w"] | None = None,
        mask: Float[Tensor, "b 1 lh lw"] | None = None,
    ) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b c lh lw"]]:
        """Restored images x_H and their latents z_H.

        Args:
            lq: Inputs, enlarged to the size wanted, RGB in [0, 1].
            prompt: Embedded prompts.
            reference: Reference faces on images of that size (see `reference_layout`), zero where there is none; None
                for none at all.
            mask: Where the face is that the reference is for, at latent resolution; all zero means no reference.
        """
        z_l = self.encode(lq)
        if mask is None:
            mask = z_l.new_zeros(len(z_l), 1, *z_l.shape[2:])
        z_r = torch.zeros_like(z_l)
        present = mask.flatten(1).any(dim=1)
        if reference is not None and present.any():
            z_r = torch.where(present.view(-1, 1, 1, 1), self.encode(reference), z_r)
        z_h = self.denoise(z_l, z_r, mask, prompt)
        return self.decode(z_h), z_h

    def predict(
        self, x: Float[Tensor, "b k lh lw"], t: Int[Tensor, " b"], prompt: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b c lh lw"]:
        """What the denoiser predicts with the adapter that is active now, in float32."""
        dtype = self.unet.dtype
        result: Tensor = self.unet(x.to(dtype), t, prompt.to(dtype)).sample
        return result.float()

    def predict_with(
        self,
        adapter: Adapter | None,
        z_t: Float[Tensor, "b c lh lw"],
        t: Int[Tensor, " b"],
        prompt: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c lh lw"]:
        """What the regulariser (its adapter) or the teacher (None) predicts for noisy latents."""
        with self.switch.using(adapter):
            return self.predict(z_t, t, prompt)

    def trained_state(self) -> Iterator[tuple[str, Tensor]]:
        """Names and values of all that is trained."""
        for name, parameter in (self.generator_parameters() | self.regularizer_parameters()).items():
            yield name, parameter.detach()
