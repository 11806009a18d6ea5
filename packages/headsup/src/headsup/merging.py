"""Adapters merged into the weights: faster to run, and a plain diffusers folder that other software loads."""

from pathlib import Path

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from headsup.adapters import GENERATOR
from headsup.conditioned_input import ConditionedInput, PreciseOutput
from headsup.diffusers_folder import save_embeddings, save_part, save_scheduler
from headsup.one_step import OneStepRestorer
from headsup.prompts import ConstantPrompt


@torch.no_grad()
def merge_adapters(restorer: OneStepRestorer) -> None:
    """Add the generator's adapters to the weights they belong to, and drop what only training needs.

    The restorer gives the same pictures to rounding, and cannot be trained any more: its denoiser has no other role left.
    Weights in bfloat16 would swallow most of what an adapter adds; merge in float32 and convert then.

    Args:
        restorer: Restorer; changed.

    Raises:
        ValueError: If its weights are not float32.
    """
    if restorer.unet.dtype != torch.float32:
        raise ValueError(f"Adapters are merged in float32, and converted then; the weights are {restorer.unet.dtype}.")
    for network in (restorer.unet, restorer.vae):
        for name, layer in list(network.named_modules()):
            if isinstance(layer, BaseTunerLayer):
                if GENERATOR in layer.active_adapters and hasattr(layer, "lora_A") and GENERATOR in layer.lora_A:
                    layer.merge(safe_merge=True, adapter_names=[GENERATOR])
                parent, _, leaf = name.rpartition(".")
                setattr(network.get_submodule(parent), leaf, layer.get_base_layer())
        network.peft_config = {}
        network._hf_peft_config_loaded = False
    first = restorer.unet.conv_in
    assert isinstance(first, ConditionedInput)
    restorer.unet.conv_in = first.own
    restorer.unet.register_to_config(in_channels=first.own.in_channels)


def save_merged(restorer: OneStepRestorer, prompts: ConstantPrompt, folder: Path) -> None:
    """Write a restorer as a folder in diffusers' layout: vae, unet, scheduler, and the embedded prompts.

    The denoiser takes 2C + 1 channels: LQ latent, reference latent, mask. Its prediction at the trained timestep gives the
    restored latent in closed form (HeadsUp, Section 2.4); other software must be told so.

    Args:
        restorer: Restorer whose adapters are merged; changed.
        prompts: Its prompts.
        folder: Folder to write; made if absent.

    Raises:
        OSError: If it cannot be written.
    """
    last = restorer.unet.conv_out
    if isinstance(last, PreciseOutput):
        restorer.unet.conv_out = last.inner
    save_part(restorer.vae, folder, "vae")
    save_part(restorer.unet, folder, "unet")
    save_scheduler(folder, restorer.schedule.config)
    positive, negative = (embedding[0] for embedding in (prompts(torch.zeros(1, 3, 1, 1), [""]), prompts.negative()))
    save_embeddings(positive, negative, folder)
    restorer.unet.conv_out = last if isinstance(last, nn.Module) else restorer.unet.conv_out
