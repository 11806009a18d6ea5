"""Adapters merged into the weights: faster to run, and a plain diffusers folder that other software loads."""

import json
import shutil
from dataclasses import asdict

import torch

from headsup.command_options import MergeOptions
from headsup.model.adapters import GENERATOR, adapted_layers
from headsup.model.conditioned_input import ConditionedInput, PreciseOutput
from headsup.model.one_step import OneStepRestorer
from headsup.model.prompt_embeddings import PromptEmbeddings
from headsup.model.prompts import ConstantPrompt
from headsup.model.text_encoder import say_of_texts
from headsup.weights.diffusers_folder import save_part, save_pipeline, save_scheduler
from headsup.weights.files import load_restorer


@torch.no_grad()
def merge_adapters(restorer: OneStepRestorer) -> None:
    """Add the generator's adapters to the weights they belong to, and drop what only training needs.

    The restorer gives the same pictures to rounding, and cannot be trained any more: its denoiser has no other role
    left. Weights in bfloat16 would swallow most of what an adapter adds; merge in float32 and convert then.

    Args:
        restorer: Restorer; changed.

    Raises:
        ValueError: If its weights are not float32.
    """
    if restorer.unet.dtype != torch.float32:
        raise ValueError(f"Adapters are merged in float32, and converted then; the weights are {restorer.unet.dtype}.")
    for network in (restorer.unet, restorer.vae):
        for name, layer in adapted_layers(network).items():
            if GENERATOR in layer.active_adapters and hasattr(layer, "lora_A") and GENERATOR in layer.lora_A:
                layer.merge(safe_merge=True, adapter_names=[GENERATOR])
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, layer.get_base_layer())
        network.peft_config = {}
        network._hf_peft_config_loaded = False
    restorer.prior = None
    first = restorer.unet.conv_in
    assert isinstance(first, ConditionedInput)
    restorer.unet.conv_in = first.own
    restorer.unet.register_to_config(in_channels=first.own.in_channels)


def merge_weights(options: MergeOptions) -> None:
    """Merge weights into their base model and write a folder in diffusers' layout; it appears complete or not at all.

    Its denoiser takes 2C + 1 channels: LQ latent, reference latent, mask. What it predicts at the trained timestep
    gives the restored latent in closed form (HeadsUp, Section 2.4). ``headsup.json`` in the folder says which
    timestep, and where a reference lies. `headsup.restoring.pipeline.HeadsUpPipeline` does all that.

    Raises:
        FileExistsError: If the folder is there.
        ValueError: If something does not fit.
        OSError: If something is missing or cannot be written.
    """
    output = options.output
    if output.exists():
        raise FileExistsError(f"{output} exists already; name another folder.")
    restorer, settings = load_restorer(options.weights, options.base)
    if restorer.guidance is not None or restorer.attention is not None:
        raise ValueError(
            f"The weights {options.weights} have parts that diffusers' layout has no place for: a branch that guides "
            "the decoder, or attention to references. Use the .safetensors file itself with `headsup restore`."
        )
    say_of_texts(options.weights, settings.base, ["prompt"] if options.prompt else [])
    prompts = ConstantPrompt(options.prompt)
    prompts.prepare(settings.base, fetch=options.base is not None)
    merge_adapters(restorer)
    last = restorer.unet.conv_out
    assert isinstance(last, PreciseOutput)
    restorer.unet.conv_out = last.inner
    fresh = output.with_name(f".{output.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        save_part(restorer.vae, fresh, "vae")
        save_part(restorer.unet, fresh, "unet")
        save_scheduler(fresh, restorer.schedule.config)
        positive, negative = prompts(torch.zeros(1, 3, 1, 1), [""])[0], prompts.negative()[0]
        save_part(PromptEmbeddings.of(positive, negative), fresh, "prompts")
        save_pipeline(fresh, settings.timestep, settings.layout)
        (fresh / "headsup.json").write_text(json.dumps(asdict(settings), indent=2) + "\n")
        fresh.replace(output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
