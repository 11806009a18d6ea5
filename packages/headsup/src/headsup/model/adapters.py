"""LoRA adapters in a frozen network, and the switch between them (HeadsUp, Sections 2.4 and 4.1).

One denoiser serves three roles: with the adapter `GENERATOR` it restores, with `REGULARIZER` it follows the
distribution of what is restored, without any it is the teacher. OSEDiff holds three copies instead.

peft takes seconds to import, so it is imported where there are adapters, and nowhere else.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

Adapter = Literal["generator", "regularizer"]
GENERATOR: Adapter = "generator"
REGULARIZER: Adapter = "regularizer"


def denoiser_targets(unet: UNet2DConditionModel) -> list[str]:
    """Full names of the denoiser's convolutions and linear layers, those of the time embedding left out.

    These are OSEDiff's targets, 258 layers of Stable Diffusion 2.1; the paper only gives their rank.
    """
    return [name for name in layers_of(unet) if "time_emb" not in name]


def encoder_targets(vae: AutoencoderKL) -> list[str]:
    """Full names of the encoder's convolutions and linear layers and of the convolution that ends it.

    Short names would also hit the decoder, which stays as it is (HeadsUp, Section 2.4).
    """
    return [name for name in layers_of(vae) if name.startswith(("encoder.", "quant_conv"))]


def layers_of(network: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers, without those that adapters brought."""
    kinds = nn.Conv2d, nn.Linear
    return [name for name, module in network.named_modules() if isinstance(module, kinds) and ".lora_" not in name]


def add_adapter(
    network: UNet2DConditionModel | AutoencoderKL, name: Adapter, targets: list[str], rank: int, alpha: int, seed: int
) -> None:
    """Add an adapter that changes nothing yet: A is N(0, 1/r^2), B is zero.

    Args:
        rank: r; the paper's is 4.
        alpha: What the adapter adds is multiplied by alpha / r; OSEDiff's is peft's default 8, so 2.
        seed: Seed of A; the random state outside is left alone, so that all processes begin with the same weights.
    """
    from peft import LoraConfig

    config = LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=targets)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(seed)
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # there are to be several
        network.add_adapter(config, adapter_name=name)
    for parameter in adapter_parameters(network, name).values():
        parameter.data = parameter.data.float()


def adapter_parameters(network: nn.Module, name: Adapter) -> dict[str, nn.Parameter]:
    """Parameters of an adapter, by their names in the network."""
    part = f".{name}."
    return {key: value for key, value in network.named_parameters() if ".lora_" in key and part in key}


def adapted_layers(network: nn.Module) -> dict[str, Any]:
    """Layers with adapters, peft's `BaseTunerLayer`, by their names in the network."""
    if not any(".lora_" in name for name, _ in network.named_parameters()):
        return {}
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, BaseTunerLayer)}


class AdapterSwitch:
    """Switch between the adapters of a network.

    peft's own switch turns the gradients of all other adapters off as well, so that none is left when `backward` runs.
    This one leaves `requires_grad` alone. It sets two private attributes of peft's layers; a test watches them.
    """

    def __init__(self, network: nn.Module) -> None:
        self.layers = list(adapted_layers(network).values())

    def activate(self, name: Adapter | None) -> None:
        """Activate one adapter, or none."""
        for layer in self.layers:
            layer._active_adapter = [] if name is None else [name]
            layer._disable_adapters = name is None

    @contextmanager
    def using(self, name: Adapter | None) -> Iterator[None]:
        """Activate an adapter, or none, and go back to the former one.

        The adapter that a graph was built with must be active when its `backward` runs: activation checkpointing
        computes again with whatever is active then.
        """
        before = [(layer, layer._active_adapter, layer._disable_adapters) for layer in self.layers]
        self.activate(name)
        try:
            yield
        finally:
            for layer, active, disabled in before:
                layer._active_adapter = active
                layer._disable_adapters = disabled
