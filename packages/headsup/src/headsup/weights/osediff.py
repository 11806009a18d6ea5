"""Checkpoints of OSEDiff (Wu et al., 2024) as weights files: HeadsUp begins as OSEDiff, a face reference beside it.

OSEDiff's checkpoint is a dictionary of LoRA adapters of one rank in the layers that HeadsUp's are in, and of the
denoiser's first convolution, trained in full. It becomes HeadsUp's to the bit: the adapters of three places of the
denoiser are one, and the first convolution gets further channels with weights of zero, for a reference and its mask.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceops.weights.model_card import merge_cards
from faceops.weights.table import WEIGHTS
from headsup.command_options import ImportOptions
from headsup.model.adapters import GENERATOR
from headsup.model.backbone import MIRROR, empty_backbone
from headsup.model.schedule import PredictionType
from headsup.model.settings import RestorerSettings
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.networks.safe_loading import load_safely

ALPHA, TIMESTEP = 8, 999
"""Constants of OSEDiff's code: peft's default of the adapters' alpha, and t of its single step."""

LAYERS = {
    "unet": {
        "default_encoder": "unet_lora_encoder_modules",
        "default_decoder": "unet_lora_decoder_modules",
        "default_others": "unet_lora_others_modules",
    },
    "vae": {"default_encoder": "vae_lora_encoder_modules"},
}
"""Names of the adapters of each network, and the fields of the checkpoint that list their layers."""

FIRST = ("conv_in.base_layer.weight", "conv_in.base_layer.bias")
"""Denoiser's first convolution, trained beside its adapter."""

FIELDS = (
    *("rank_unet", "rank_vae", "state_dict_unet", "state_dict_vae"),
    *(listed for network in LAYERS.values() for listed in network.values()),
)


@dataclass(frozen=True, eq=False)
class OSEDiffCheckpoint:
    """Content of a checkpoint."""

    rank: int
    """Rank of all adapters."""
    unet: Mapping[str, Tensor]
    """Adapters of the denoiser and its first convolution, by OSEDiff's names."""
    vae: Mapping[str, Tensor]
    """Adapters of the encoder, likewise."""


def import_osediff(path: Path, options: ImportOptions) -> None:
    """Convert a checkpoint of OSEDiff to a weights file.

    Args:
        path: File of the checkpoint.
        options: What is asked for.

    Raises:
        ValueError: If the file is no such checkpoint, is damaged, or was trained on another base model.
        OSError: If a file cannot be read or written.
    """
    checkpoint = read_checkpoint(path)
    settings = RestorerSettings(options.base or MIRROR, checkpoint.rank, ALPHA, TIMESTEP)
    tensors = restorer_tensors(checkpoint)
    predicts = check_base(tensors, settings, path)
    licences = [entry.licence for entry in WEIGHTS if entry.name == options.checkpoint]
    own = ModelCard(licence=licences[0] if licences else ModelCard().licence, notes=f"imported from {path.name}")
    save_weights(tensors, settings, options.output, merge_cards(own, options.card), options.half, predicts)


def read_checkpoint(path: Path) -> OSEDiffCheckpoint:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        ValueError: If it is none, lacks tensors, or has adapters of another rank than it says.
        OSError: If it cannot be read.
    """
    content = load_safely(path)
    lacking = FIELDS if not isinstance(content, Mapping) else [name for name in FIELDS if name not in content]
    if lacking:
        raise ValueError(f"{path} is no checkpoint of OSEDiff: it lacks {', '.join(lacking)}.")
    rank, other = content["rank_unet"], content["rank_vae"]
    if rank != other:
        raise ValueError(
            f"{path} has adapters of rank {rank} in the denoiser and {other} in the encoder; HeadsUp's have one rank. "
            "Train OSEDiff with one --lora_rank."
        )
    unet, vae = content["state_dict_unet"], content["state_dict_vae"]
    check_names(unet, {*FIRST, *adapter_names(content, "unet")}, path)
    check_names(vae, adapter_names(content, "vae"), path)
    check_rank({**unet, **vae}, rank, path)
    return OSEDiffCheckpoint(rank, unet, vae)


def adapter_names(content: Mapping[str, Any], network: str) -> set[str]:
    """Names of the tensors that the adapters of a network consist of, by the lists of their layers."""
    layers: list[tuple[str, Sequence[str]]] = [(name, content[listed]) for name, listed in LAYERS[network].items()]
    return {f"{layer}.lora_{side}.{name}.weight" for name, listed in layers for layer in listed for side in ("A", "B")}


def check_names(tensors: Mapping[str, Tensor], wanted: set[str], path: Path) -> None:
    """Refuse a checkpoint that lacks tensors, or has some that nothing is known about.

    Raises:
        ValueError: If there are such.
    """
    for names, fault in ((wanted - tensors.keys(), "lacks"), (tensors.keys() - wanted, "has besides")):
        if names:
            raise ValueError(
                f"{path} {fault} {len(names)} of the tensors that OSEDiff saves for the layers it lists, such as "
                f"{min(names)}; it is damaged, or of another version."
            )


def check_rank(tensors: Mapping[str, Tensor], rank: int, path: Path) -> None:
    """Refuse adapters of another rank than the checkpoint says.

    Raises:
        ValueError: If there are such.
    """
    for name, tensor in tensors.items():
        axis = 0 if ".lora_A." in name else 1
        if ".lora_" in name and tensor.shape[axis] != rank:
            raise ValueError(f"{path} says that its rank is {rank}, but {name} has rank {tensor.shape[axis]}.")


def restorer_tensors(checkpoint: OSEDiffCheckpoint) -> dict[str, Tensor]:
    """Tensors of a checkpoint by the names of `headsup.model.one_step.OneStepRestorer.generator_parameters`."""
    unet = {f"unet.{restorer_name(name)}": tensor.float() for name, tensor in checkpoint.unet.items()}
    for name in ("base_layer.weight", f"lora_A.{GENERATOR}.weight"):
        unet[f"unet.conv_in.own.{name}"] = widened(unet[f"unet.conv_in.own.{name}"])
    return unet | {f"vae.{restorer_name(name)}": tensor.float() for name, tensor in checkpoint.vae.items()}


def restorer_name(name: str) -> str:
    """Name of a parameter in a restorer's network.

    Example:
        >>> restorer_name("conv_out.lora_A.default_decoder.weight"), restorer_name("conv_in.base_layer.bias")
        ('conv_out.inner.lora_A.generator.weight', 'conv_in.own.base_layer.bias')
        >>> restorer_name("encoder.conv_in.lora_B.default_encoder.weight")
        'encoder.conv_in.lora_B.generator.weight'
    """
    name = re.sub(r"\.default_(encoder|decoder|others)\.", f".{GENERATOR}.", name)
    return re.sub(r"^conv_in\.", "conv_in.own.", re.sub(r"^conv_out\.", "conv_out.inner.", name))


def widened(weight: Tensor) -> Tensor:
    """Weights of a first convolution for C channels, with C + 1 more channels, for a reference's latent and mask."""
    channels = weight.shape[1]
    return torch.cat([weight, weight.new_zeros(len(weight), channels + 1, *weight.shape[2:])], dim=1)


def check_base(tensors: Mapping[str, Tensor], settings: RestorerSettings, path: Path) -> PredictionType:
    """Refuse tensors that do not fit the base model, which need not be on this machine.

    Returns:
        Prediction type of the base model.

    Raises:
        MissingBackboneError: If the base is a folder without a model.
        ValueError: If they do not fit.
    """
    with torch.device("meta"):
        restorer = settings.on(empty_backbone(settings.base))
    wanted = {name: tuple(parameter.shape) for name, parameter in restorer.generator_parameters().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    differing = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    if differing:
        name = differing[0]
        raise ValueError(
            f"{path} does not fit the base model {settings.base}: {name} is {found.get(name, 'absent')}, not "
            f"{wanted.get(name, 'absent')}. It was trained on another base model; name that with --base."
        )
    return restorer.schedule.prediction_type
