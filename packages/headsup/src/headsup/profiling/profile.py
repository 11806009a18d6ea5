"""Size of a restorer: parameters, memory and multiply-accumulates (MACs), counted without weights or hardware.

Convolutions, linear layers and attention are counted, the adapters' among them; normalisation and activations are not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from headsup.model.adapters import GENERATOR, adapter_parameters
from headsup.model.backbone import Architecture, random_backbone
from headsup.model.guidance import Guidance, Guide, guided_decode
from headsup.model.one_step import OneStepRestorer
from headsup.model.settings import RestorerSettings
from headsup.profiling.activations import ActivationRecorder, Activations, become_fake, bfloat16_autocast_of_cuda

Mode = Literal["train", "restore"]
Part = Literal["unet", "vae_encoder", "vae_decoder", "guidance"]

PASSES: dict[Mode, dict[Part, int]] = {
    "train": {"unet": 9, "vae_encoder": 3, "vae_decoder": 3},
    "restore": {"unet": 1, "vae_encoder": 1, "vae_decoder": 1},
}
"""Passes as long as a forward one, of one image without a reference; a reference is encoded, too: as many once more.

In training with checkpointing and ``vsd`` (see `headsup.losses.distillation`) each part is run, run again and
differentiated, which without gradients of the frozen weights takes as long as a forward pass: 3. The denoiser's are 3
for the generator, 2 for the teacher, 1 for the regularizer's judgement and 3 for its own training.
"""

GUIDANCE_PASSES: dict[Mode, int] = {"train": 3, "restore": 1}
"""Passes of the guiding branch, which keeps its activations: run once, differentiated by maps and by weights."""

PAPER = RestorerSettings()
"""HeadsUp as it is published."""

PROMPT_TOKENS = 77
"""Length of an embedded prompt of CLIP."""

BYTES_PER_TRAINED_VALUE: dict[Mode, int] = {"train": 16, "restore": 4}
"""float32; in training with the gradient and AdamW's two moments."""


@dataclass(frozen=True)
class Profile:
    """Size of a restorer and its work on one image."""

    architecture: Architecture
    size: int
    """Side of the restored image in pixels."""
    mode: Mode
    parameters: dict[str, int]
    """Of the frozen base: ``unet``, ``vae_encoder`` with what ends it, ``vae_decoder`` with what begins it. Trained:
    ``lora_unet``, ``lora_vae_encoder`` and ``conv_in``, which are the restorer's weights, and ``lora_regularizer``.
    Beyond the paper ``guidance`` and ``attention``; where all is trained, the base is the restorer's, too."""
    frozen_bytes: int
    """The base in bfloat16 but for the denoiser's last convolution."""
    trained_bytes: int
    """Trained weights, in float32; in training with gradients and moments."""
    macs: dict[Part, int]
    """Of one forward pass."""
    passes: dict[Part, int]
    """See `PASSES`."""
    macs_in_all: int
    """Of a step of training or of a restoration, without a reference."""
    activations: dict[Part, Activations]
    """Memory kept for ``backward`` under bfloat16 autocast on CUDA with an attention that keeps no matrix, for each
    image; empty for ``restore``."""
    osediff_bytes: dict[str, int] | None = None
    """Bytes that OSEDiff's design holds for the same base before any activation; None where it has no such thing: it
    knows no small model."""


def profile_restorer(
    architecture: Architecture, size: int, mode: Mode = "train", settings: RestorerSettings = PAPER
) -> Profile:
    """Count without computing, so that large models and images need no memory.

    Args:
        architecture: ``sd21`` or ``tiny``.
        mode: ``train`` counts a step of training, ``restore`` one image.
        settings: Shape of the restorer; its base is of no matter.

    Raises:
        ValueError: If the size does not fit the autoencoder.
    """
    restorer = meta_restorer(architecture, settings)
    if size < 1 or size % restorer.factor:
        raise ValueError(f"The size must be a multiple of {restorer.factor} pixels, got {size}.")
    parameters, frozen = parameter_counts(restorer), frozen_bytes(restorer)
    trained = values(restorer.generator_parameters()) + values(restorer.regularizer_parameters())
    macs: dict[Part, int] = {}
    activations: dict[Part, Activations] = {}
    with FakeTensorMode():
        become_fake(restorer)
        for part, (network, run) in forward_passes(restorer, size).items():
            if mode == "train":
                macs[part], activations[part] = count_training(network, run)
            else:
                macs[part] = count_macs(run)
    passes = dict(PASSES[mode])
    if mode == "train" and settings.trained == "all":
        passes = {part: count + 1 for part, count in passes.items()}  # weights that are trained have gradients, too
    if restorer.guidance is not None:
        passes["guidance"] = GUIDANCE_PASSES[mode]
    return Profile(
        architecture,
        size,
        mode,
        parameters,
        frozen,
        trained * BYTES_PER_TRAINED_VALUE[mode],
        macs,
        passes,
        sum(macs[part] * passes[part] for part in passes),
        activations,
    )


def meta_restorer(architecture: Architecture, settings: RestorerSettings = PAPER) -> OneStepRestorer:
    """Restorer without memory, its frozen weights in bfloat16; ValueError if there is no such architecture."""
    with torch.device("meta"):
        backbone = random_backbone(architecture)
        for module in (backbone.vae, backbone.unet):
            nn.Module.to(module, torch.bfloat16)
        return settings.on(backbone)


def parameter_counts(restorer: OneStepRestorer) -> dict[str, int]:
    """Parameters of base and adapters, see `Profile`."""
    own = {name: value for name, value in restorer.unet.named_parameters() if name.startswith("conv_in.own.")}
    unet = {name: value for name, value in restorer.unet.named_parameters() if name not in own}
    vae = dict(restorer.vae.named_parameters())
    decoder = {name: value for name, value in vae.items() if name.startswith(("decoder.", "post_quant_conv."))}
    encoder = {name: value for name, value in vae.items() if name not in decoder}
    beyond = {"guidance": restorer.guidance, "attention": restorer.attention}
    return {
        "unet": without_adapters(unet),
        "vae_encoder": without_adapters(encoder),
        "vae_decoder": without_adapters(decoder),
        "lora_unet": values(adapter_parameters(restorer.unet, GENERATOR)),
        "lora_vae_encoder": values(adapter_parameters(restorer.vae, GENERATOR)),
        "conv_in": without_adapters(own),
        "lora_regularizer": values(restorer.regularizer_parameters()),
    } | {name: values(dict(part.named_parameters())) for name, part in beyond.items() if part is not None}


def without_adapters(parameters: Mapping[str, Tensor]) -> int:
    """Number of values, those of adapters left out."""
    return values({name: value for name, value in parameters.items() if ".lora_" not in name})


def values(parameters: Mapping[str, Tensor]) -> int:
    """Number of values."""
    return sum(value.numel() for value in parameters.values())


def frozen_bytes(restorer: OneStepRestorer) -> int:
    """Bytes of what is not trained."""
    return sum(value.nbytes for value in restorer.parameters() if not value.requires_grad)


def forward_passes(
    restorer: OneStepRestorer, size: int
) -> dict[Part, tuple[UNet2DConditionModel | AutoencoderKL | Guidance, Callable[[], Tensor]]]:
    """Networks, each with its part of the generator's forward pass of one image."""
    side = size // restorer.factor
    latent = torch.zeros(1, restorer.channels, side, side, requires_grad=True)
    found, mask = torch.zeros(1, restorer.found_channels, side, side), torch.zeros(1, 1, side, side)
    prompt = torch.zeros(1, PROMPT_TOKENS, restorer.unet.config.cross_attention_dim)
    picture = torch.zeros(1, 3, size, size)
    passes: dict[Part, tuple[UNet2DConditionModel | AutoencoderKL | Guidance, Callable[[], Tensor]]] = {
        "unet": (restorer.unet, lambda: restorer.denoise(latent, found, mask, prompt)),
        "vae_encoder": (restorer.vae, lambda: restorer.encode(picture)),
        "vae_decoder": (restorer.vae, lambda: restorer.decode(latent)),
    }
    if restorer.guidance is not None:
        guidance, guide = restorer.guidance, blank_guide(restorer.guidance, size)
        passes["guidance"] = guidance, lambda: guidance(picture).picture
        passes["vae_decoder"] = (
            restorer.vae,
            lambda: torch.cat(guided_decode(restorer.vae, guidance, latent, guide, picture)),
        )
    return passes


def blank_guide(guidance: Guidance, size: int) -> Guide:
    """Features of nothing for one image."""
    channels = guidance.branch.channels
    sides = (size // 8, size // 4, size // 2)
    eighth, quarter, half = (torch.zeros(1, c, side, side) for c, side in zip(channels, sides, strict=True))
    return Guide((eighth, quarter, half), torch.zeros(1, 3, size, size))


def count_macs(run: Callable[[], Tensor]) -> int:
    """Multiply-accumulates of a pass of fakes."""
    with torch.no_grad(), bfloat16_autocast_of_cuda(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def count_training(
    network: UNet2DConditionModel | AutoencoderKL | Guidance, run: Callable[[], Tensor]
) -> tuple[int, Activations]:
    """Multiply-accumulates of a forward pass of fakes, and what it keeps for `backward`."""
    recorder = ActivationRecorder(network.parameters())
    if not isinstance(network, Guidance):
        network.enable_gradient_checkpointing(recorder.run_block)
    with bfloat16_autocast_of_cuda(), recorder.recording(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2, recorder.result()
