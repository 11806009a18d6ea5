"""Published weights of RAM and DAPE, brought to the names of `RamNetwork`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headsup.model.taggers.ram_network import RamNetwork, RamSettings
from portraitdata.networks.safe_loading import load_safely

LORA_SCALE = 1 / 8
"""Of DAPE's adapters: loralib's alpha of 1, divided by their rank."""
LORA_RANK = 8

RENAMED = (
    (r"^visual_encoder\.patch_embed\.proj\.", "encoder.features.0.0."),
    (r"^visual_encoder\.patch_embed\.norm\.", "encoder.features.0.2."),
    (r"^visual_encoder\.norm\.", "encoder.norm."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^tagging_head\.encoder\.layer\.", "decoder.layers."),
    (r"crossattention\.self\.(q|k|v)\w+\.weight$", r"attention.\1_proj_weight"),
    (r"crossattention\.self\.(q|k|v)\w+\.bias$", r"attention.\1_bias"),
    (r"crossattention\.output\.dense\.", "attention.out_proj."),
    (r"crossattention\.output\.LayerNorm\.", "attention_norm."),
    (r"\.intermediate\.dense\.", ".enlarge."),
    (r"\.output\.dense\.", ".reduce."),
    (r"\.output\.LayerNorm\.", ".perceptron_norm."),
    (r"^label_embed$", "decoder.labels.weight"),
    (r"^wordvec_proj\.", "decoder.project."),
    (r"^fc\.", "decoder.score."),
    (r"^image_proj\.", "project."),
)
"""Parts of published names and what stands for them, in this order; for those of stages see `_staged`."""

PARTS = ("visual_encoder.", "tagging_head.", "label_embed", "wordvec_proj.", "fc.", "image_proj.")
"""Beginnings of the published names that tagging needs; the others are of captions."""

DERIVED = ("relative_position_index", "attn_mask")
"""Ends of published names of what a network computes itself."""


def read_ram(path: Path) -> dict[str, Tensor]:
    """Weights of tagging in a checkpoint of RAM, under their published names; those of captions are left out.

    Raises:
        ValueError: If it cannot be read safely or is no RAM.
    """
    content = load_safely(path)
    wanted = _for_tagging(content.get("model", content)) if isinstance(content, Mapping) else {}
    if "label_embed" not in wanted:
        raise ValueError(
            f"{path} is no checkpoint of RAM: it has no `label_embed`. ram_swin_large_14m.pth of Recognize Anything "
            "is wanted."
        )
    return wanted


def read_dape(path: Path) -> dict[str, Tensor]:
    """Adapters in DAPE.pth, under their published names.

    Raises:
        ValueError: If it cannot be read safely or holds no adapters of RAM.
    """
    content = load_safely(path)
    wanted = _for_tagging(content) if isinstance(content, Mapping) else {}
    if not any(".lora_A" in name for name in wanted):
        raise ValueError(f"{path} holds no LoRA of RAM; DAPE.pth of SeeSR is wanted.")
    return wanted


def merged(ram: Mapping[str, Tensor], dape: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of RAM with the adapters of DAPE added, and replaced by what else DAPE holds.

    Raises:
        ValueError: If the adapters do not fit the weights.
    """
    weights = dict(ram) | {name: value for name, value in dape.items() if ".lora_" not in name and name in ram}
    for name in (name for name in dape if name.endswith(".lora_A")):
        target = name.removesuffix("lora_A") + "weight"
        down, up = dape[name].float(), dape.get(name.removesuffix("A") + "B")
        if target not in weights or up is None:
            raise ValueError(f"DAPE adapts {target}, which this RAM lacks or for which the second factor is missing.")
        weights[target] = weights[target] + LORA_SCALE * _difference(down, up.float(), weights[target].shape, target)
    return weights


def _difference(down: Tensor, up: Tensor, shape: torch.Size, name: str) -> Tensor:
    """Change of a weight: one product, or one each for the queries and the values of joint queries, keys, values."""
    if down.shape == (LORA_RANK, shape[1]) and up.shape == (shape[0], LORA_RANK):
        return up @ down
    third = shape[0] // 3
    if down.shape != (2 * LORA_RANK, shape[1]) or up.shape != (2 * third, LORA_RANK):
        raise ValueError(
            f"Adapters of {name} have rank {LORA_RANK} and fit {tuple(shape)}; got {tuple(down.shape)} and "
            f"{tuple(up.shape)}."
        )
    queries, values = (up[part * third :][:third] @ down[part * LORA_RANK :][:LORA_RANK] for part in (0, 1))
    return torch.cat([queries, torch.zeros_like(queries), values])


def ram_from(tensors: Mapping[str, Tensor], settings: RamSettings) -> RamNetwork:
    """Network with published weights, frozen.

    Args:
        tensors: From `read_ram` or `merged`.
        settings: Its sizes.

    Raises:
        ValueError: If the weights are not those of a RAM of these sizes.
    """
    network = RamNetwork(settings)
    own = _joint_biases({_own_name(name): value for name, value in tensors.items()})
    state = network.state_dict()
    computed = {name: value for name, value in state.items() if name.endswith(DERIVED)}
    differing = [name for name in state if name not in computed and _shape(own, name) != state[name].shape]
    if differing:
        first = differing[0]
        raise ValueError(
            f"The weights are of another network than RAM with {settings.tags} tags at {settings.side} pixels: "
            f"{len(differing)} tensors are missing or of another size, the first is {first}, wanted with "
            f"{tuple(state[first].shape)}, got {_shape(own, first)}."
        )
    network.load_state_dict({name: own.get(name, value) for name, value in state.items()})
    return network.eval().requires_grad_(False)


def _for_tagging(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors that tagging needs; older files call the decoder by another name."""
    named = {re.sub(r"^vision_multi\.", "tagging_head.", name): value for name, value in content.items()}
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, Tensor) and name.startswith(PARTS) and not name.endswith(DERIVED)
    }


def _own_name(name: str) -> str:
    name = re.sub(r"^visual_encoder\.layers\.(\d+)\.(blocks|downsample)\.", _staged, name)
    for published, own in RENAMED:
        name = re.sub(published, own, name)
    return name


def _staged(found: re.Match[str]) -> str:
    """Stages and the reductions between them count together in torchvision, after the patches."""
    place = 2 * int(found[1]) + (1 if found[2] == "blocks" else 2)
    return f"encoder.features.{place}."


def _joint_biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Biases of queries, keys and values in one tensor, as torch has them."""
    layers = [name.removesuffix("q_bias") for name in tensors if name.endswith(".q_bias")]
    joint = {f"{layer}in_proj_bias": torch.cat([tensors[f"{layer}{part}_bias"] for part in "qkv"]) for layer in layers}
    return {name: value for name, value in tensors.items() if not re.search(r"\.[qkv]_bias$", name)} | joint


def _shape(tensors: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None
