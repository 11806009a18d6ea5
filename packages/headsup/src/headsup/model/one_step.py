"""The restorer G = (E~, eps~, D): encode, one denoising step, decode (HeadsUp, Section 2.4)."""

import copy
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from headsup.model.adapters import (
    GENERATOR,
    REGULARIZER,
    Adapter,
    AdapterSwitch,
    adapter_parameters,
    add_adapter,
    denoiser_targets,
    encoder_targets,
)
from headsup.model.autoencoder import decode, encode
from headsup.model.backbone import Backbone
from headsup.model.conditioned_input import ConditionedInput, PreciseOutput
from headsup.model.guidance import Guidance, Guided, Output, guided_decode
from headsup.model.reference_attention import ReferenceAttention, References, mask_of, no_references, reduced
from headsup.model.reference_layout import ReferenceLayout, lay_out_covered, lay_out_first

Trained = Literal["adapters", "all"]
"""Trained part of the base model: adapters in encoder and denoiser, as in HeadsUp, or all of its weights."""

ReferenceForm = Literal["concat", "attention"]
"""Way of references to the denoiser: laid down and joined to the input, as in HeadsUp, or attended to."""


class Restoration(NamedTuple):
    """Output of the restorer."""

    picture: Float[Tensor, "b 3 h w"]
    """x_H, RGB in [0, 1] but for overshoots."""
    latents: Float[Tensor, "b c lh lw"]
    """z_H."""
    faithful: Float[Tensor, "b 3 h w"] | None
    """The faithful picture, see `headsup.model.guidance`; None without guidance."""


class OneStepRestorer(nn.Module):
    """One-step restorer on a latent diffusion model.

    HeadsUp's has LoRA adapters in encoder and denoiser of a frozen model, and a frozen decoder. The rest is beyond the
    paper, and off unless asked for.

    Args:
        backbone: Diffusion model; it is changed, and belongs to this module from now on.
        rank: Rank of the adapters.
        alpha: What an adapter adds is multiplied by alpha / rank.
        timestep: t of the single step. The paper does not say; OSEDiff's is 999.
        seed: Seed of the adapters, and of what else is new.
        trained: ``all`` trains every weight of the base and has no adapters of the generator; for small bases, to which
            adapters could teach too little.
        guidance: Channels of the guiding branch at half of the resolution; 0 for none, see `headsup.model.guidance`.
        output: What a guided decoder gives.
        guidance_blocks: Residual blocks of the branch at an eighth of the resolution, and at a quarter each way.
        references: How references come to the denoiser.
        reference_size: Side in pixels to which larger reference faces are reduced before they are looked at.
        reference_details: Whether the guiding branch sees them too, placed on the picture.

    Raises:
        ValueError: If the timestep is none of the schedule's, or the parts do not go together.
    """

    vae: AutoencoderKL
    unet: UNet2DConditionModel

    def __init__(
        self,
        backbone: Backbone,
        rank: int = 4,
        alpha: int = 8,
        timestep: int = 999,
        seed: int = 0,
        trained: Trained = "adapters",
        guidance: int = 0,
        output: Output = "decoded",
        guidance_blocks: int = 2,
        references: ReferenceForm = "concat",
        reference_size: int = 512,
        reference_details: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= timestep < len(backbone.schedule):
            raise ValueError(f"The timestep must be from 0 to {len(backbone.schedule) - 1}, got {timestep}.")
        if output == "residual" and not (guidance and trained == "all"):
            raise ValueError(
                "The decoder can give a residual only where it is guided and trained: set guidance above 0 and trained "
                "to all, or output to decoded."
            )
        if reference_details and not guidance:
            raise ValueError(
                "Details of references reach the picture through the guiding branch: set guidance above 0."
            )
        self.vae, self.unet, self.schedule = backbone.vae, backbone.unet, backbone.schedule
        self.factor, self.channels, self.source = backbone.factor, backbone.channels, backbone.source
        self.rank, self.alpha, self.timestep, self.seed, self.trained = rank, alpha, timestep, seed, trained
        self.reference_size = reference_size
        self.prior: UNet2DConditionModel | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.guidance = (
                Guidance(self.vae, guidance, output, guidance_blocks, reference_details) if guidance else None
            )
            self.attention = ReferenceAttention(self.channels) if references == "attention" else None
        self.unet.conv_in = ConditionedInput(self.unet.conv_in, self.found_channels)
        self.unet.conv_out = PreciseOutput(self.unet.conv_out)
        if trained == "adapters":
            self._add_adapters()
        self.switch = AdapterSwitch(self.unet)
        self.switch.activate(GENERATOR)
        self._train_only_what_is_trained()

    def _add_adapters(self) -> None:
        targets = denoiser_targets(self.unet)
        for name, left_out in ((GENERATOR, "conv_in.base"), (REGULARIZER, "conv_in.own")):
            chosen = [target for target in targets if target != left_out]
            add_adapter(self.unet, name, chosen, self.rank, self.alpha, self.seed)
        add_adapter(self.vae, GENERATOR, encoder_targets(self.vae), self.rank, self.alpha, self.seed)

    def keep_prior(self) -> None:
        """Keep a frozen copy of the base's denoiser, with the regularizer's adapter, before all weights are trained.

        Where adapters are trained, the base itself stays as it is and no copy is needed. Called twice, it does nothing.
        """
        if self.trained == "adapters" or self.prior is not None:
            return
        prior = copy.deepcopy(self.unet)
        assert isinstance(prior.conv_in, ConditionedInput)
        prior.conv_in = prior.conv_in.base
        prior.requires_grad_(False)
        add_adapter(prior, REGULARIZER, denoiser_targets(prior), self.rank, self.alpha, self.seed)
        self.prior, self.switch = prior, AdapterSwitch(prior)
        for parameter in self.regularizer_parameters().values():
            parameter.requires_grad_(True)

    def _train_only_what_is_trained(self) -> None:
        self.requires_grad_(False)
        if self.trained == "all":
            self.unet.float()  # its first convolution is not trained, but says of which type the denoiser is
        for parameter in (*self.generator_parameters().values(), *self.regularizer_parameters().values()):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)

    def generator_parameters(self) -> dict[str, nn.Parameter]:
        """Theta of G, by name; all that is shipped.

        Adapters of encoder and denoiser and the first convolution, or all weights but the base's first convolution; and
        what is beyond the paper.
        """
        parts = ((name, getattr(self, name)) for name in ("guidance", "attention"))
        beyond = {f"{part}.{n}": p for part, module in parts if module for n, p in module.named_parameters()}
        if self.trained == "all":
            unet = {f"unet.{n}": p for n, p in self.unet.named_parameters() if not n.startswith("conv_in.base.")}
            return unet | {f"vae.{n}": p for n, p in self.vae.named_parameters()} | beyond
        own = {
            f"unet.{n}": p
            for n, p in self.unet.named_parameters()
            if n.startswith("conv_in.own.") and ".lora_" not in n
        }
        found = {f"unet.{name}": p for name, p in adapter_parameters(self.unet, GENERATOR).items()}
        encoder = {f"vae.{name}": p for name, p in adapter_parameters(self.vae, GENERATOR).items()}
        return own | found | encoder | beyond

    def regularizer_parameters(self) -> dict[str, nn.Parameter]:
        """Adapter of the regularizer, by name."""
        part, network = ("unet", self.unet) if self.prior is None else ("prior", self.prior)
        return {f"{part}.{name}": p for name, p in adapter_parameters(network, REGULARIZER).items()}

    def checkpoint_activations(self) -> None:
        """Keep no activations of encoder, denoisers and decoder but compute them again in `backward`."""
        self.unet.enable_gradient_checkpointing()
        self.vae.enable_gradient_checkpointing()
        if self.prior is not None:
            self.prior.enable_gradient_checkpointing()

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Latents z = E~(x), see `headsup.model.autoencoder.encode`."""
        return encode(self.vae, images)

    @property
    def found_channels(self) -> int:
        """F, channels of what comes of the references, see `find`."""
        return self.channels if self.attention is None else int(self.attention.out.out_features)

    def find(
        self,
        z_l: Float[Tensor, "b c lh lw"],
        references: References,
        layout: ReferenceLayout,
        encoder: Callable[[Tensor], Tensor] | None = None,
    ) -> Float[Tensor, "b f lh lw"]:
        """z_r, what comes of the references to every place of the inputs: their latent laid down, or what is found.

        Args:
            references: Reference faces; laid down, the first of each person counts.
            layout: Where a face is laid down; of no matter where references are looked at.
            encoder: Makes latents of pictures; None for `encode`.
        """
        encode = encoder or self.encode
        if not len(references):
            return z_l.new_zeros(len(z_l), self.found_channels, *z_l.shape[2:])
        if self.attention is not None:
            # the encoder learns from the inputs; through references it would cost more than all else of a step
            with torch.no_grad():
                z = encode(reduced(references.faces, self.reference_size))
            found: Tensor = self.attention(z_l, z, references, self.factor)
            return found
        size = len(z_l), z_l.shape[2] * self.factor, z_l.shape[3] * self.factor
        present = torch.zeros(len(z_l), dtype=torch.bool, device=z_l.device)
        present[references.image_index[references.person]] = True
        z_r = encode(lay_out_first(references, size, layout))
        return torch.where(present.view(-1, 1, 1, 1), z_r, torch.zeros_like(z_r))

    def denoise(
        self,
        z_l: Float[Tensor, "b c lh lw"],
        z_r: Float[Tensor, "b f lh lw"],
        mask: Float[Tensor, "b 1 lh lw"],
        prompt: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c lh lw"]:
        """z_H = (z_L - beta eps~(z_L, z_r, M)) / alpha, in float32 (HeadsUp, Section 2.4).

        Args:
            z_r: Latents of the references, see `find`; zero where there is none.
            mask: Where the face is that the reference is for; zero where there is none.
        """
        t = torch.full((len(z_l),), self.timestep, device=z_l.device)
        prediction = self.predict(torch.cat([z_l, z_r, mask], dim=1), t, prompt)
        return self.schedule.clean(z_l, prediction, t)

    def decode(self, latents: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """Images D(z), see `headsup.model.autoencoder.decode`; guided restorers have `decode_guided`."""
        return decode(self.vae, latents)

    def place(self, references: References, size: tuple[int, int, int]) -> Float[Tensor, "b 4 h w"] | None:
        """References as the guiding branch sees them on pictures of a size; None if it sees none."""
        if self.guidance is None or not self.guidance.details or not len(references):
            return None
        return lay_out_covered(references, size)

    def decode_guided(
        self,
        guidance: Guidance,
        latents: Float[Tensor, "b c lh lw"],
        picture: Float[Tensor, "b 3 h w"],
        placed: Float[Tensor, "b 4 h w"] | None = None,
    ) -> Guided:
        """Restored and faithful images of a guided decoder.

        Args:
            latents: Scaled latents.
            placed: References on the picture, see `place`.
        """
        return guided_decode(self.vae, guidance, latents, guidance(picture, placed), picture)

    def forward(
        self,
        lq: Float[Tensor, "b 3 h w"],
        prompt: Float[Tensor, "b n d"],
        references: References | None = None,
        layout: ReferenceLayout = "placed",
    ) -> Restoration:
        """Restored images x_H, their latents z_H and the faithful images.

        Args:
            lq: Inputs, enlarged to the size wanted, RGB in [0, 1].
            references: Reference faces; None for none at all.
            layout: Where they are laid down.
        """
        z_l = self.encode(lq)
        if references is None:
            references = no_references(z_l)
        z_r = self.find(z_l, references, layout)
        z_h = self.denoise(z_l, z_r, mask_of(references, z_l), prompt)
        if self.guidance is None:
            return Restoration(self.decode(z_h), z_h, None)
        placed = self.place(references, (len(lq), *lq.shape[2:]))
        guided = self.decode_guided(self.guidance, z_h, lq, placed)
        return Restoration(guided.restored, z_h, guided.faithful)

    def predict(
        self, x: Float[Tensor, "b k lh lw"], t: Int[Tensor, " b"], prompt: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b c lh lw"]:
        """Prediction of the denoiser with the active adapter, in float32."""
        return predicted(self.unet, x, t, prompt)

    def predict_with(
        self,
        adapter: Adapter | None,
        z_t: Float[Tensor, "b c lh lw"],
        t: Int[Tensor, " b"],
        prompt: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c lh lw"]:
        """Prediction of the regularizer (its adapter) or the teacher (None) for noisy latents."""
        with self.switch.using(adapter):
            return self.predict(z_t, t, prompt) if self.prior is None else predicted(self.prior, z_t, t, prompt)


def predicted(
    unet: UNet2DConditionModel, x: Float[Tensor, "b k lh lw"], t: Int[Tensor, " b"], prompt: Float[Tensor, "b n d"]
) -> Float[Tensor, "b c lh lw"]:
    """Prediction of a denoiser, computed in its own type, in float32."""
    result: Tensor = unet(x.to(unet.dtype), t, prompt.to(unet.dtype)).sample
    return result.float()
