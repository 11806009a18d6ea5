"""Folders in diffusers' layout: what other software loads."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import diffusers
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from faceops.atomic_files import replacing
from headsup.model.prompt_embeddings import PromptEmbeddings
from headsup.model.reference_layout import ReferenceLayout
from headsup.model.text_encoder import EMBEDDINGS_FILE

Part = Literal["vae", "unet", "prompts"]

PIPELINE_FILE = "pipeline.py"
"""File that diffusers reads where a pipeline is not its own."""

PIPELINE = '''"""Pipeline of this model for diffusers; it needs the package headsup."""

from headsup.restoring.pipeline import HeadsUpPipeline

__all__ = ["HeadsUpPipeline"]
'''


def save_part(module: AutoencoderKL | UNet2DConditionModel | PromptEmbeddings, folder: Path, part: Part) -> None:
    """Write a network into a folder of a diffusion model; the files appear complete or not at all.

    Args:
        module: Network.
        folder: Folder of the model; made if absent.
        part: Which part it is; an existing one is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    target = folder / part
    fresh = folder / f".{part}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        module.save_pretrained(fresh)
        target.mkdir(parents=True, exist_ok=True)
        # weights first: a folder that was cut off in between has the old configuration, which still builds them
        for file in sorted(fresh.iterdir(), key=lambda file: file.suffix == ".json"):
            file.replace(target / file.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def save_scheduler(folder: Path, config: Mapping[str, Any]) -> None:
    """Write a noise schedule as the configuration of diffusers' DDPM scheduler.

    Args:
        folder: Folder of the model; made if absent.
        config: Configuration of the schedule, see `headsup.model.schedule.NoiseSchedule.from_config`.

    Raises:
        OSError: If it cannot be written.
    """
    target = folder / "scheduler" / "scheduler_config.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"_class_name": "DDPMScheduler", "clip_sample": False, **config}
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def save_pipeline(folder: Path, timestep: int, layout: ReferenceLayout) -> None:
    """Write what diffusers needs to make a `headsup.restoring.pipeline.HeadsUpPipeline` of a folder's parts.

    Args:
        folder: Folder of the model.
        timestep: t of the single step.
        layout: Where a reference lies.

    Raises:
        OSError: If it cannot be written.
    """
    content = {
        "_class_name": "HeadsUpPipeline",
        "_diffusers_version": diffusers.__version__,
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "prompts": [PromptEmbeddings.__module__, PromptEmbeddings.__name__],
        "timestep": timestep,
        "layout": layout,
    }
    for name, text in (("model_index.json", json.dumps(content, indent=2) + "\n"), (PIPELINE_FILE, PIPELINE)):
        with replacing(folder / name) as temporary:
            temporary.write_text(text)


def save_embeddings(positive: Float[Tensor, "n d"], negative: Float[Tensor, "n d"], folder: Path) -> None:
    """Write the two embeddings that stand for a text encoder, see `headsup.model.text_encoder.TwoEmbeddings`.

    Raises:
        OSError: If they cannot be written.
    """
    tensors = {"positive": positive, "negative": negative}
    with replacing(folder / EMBEDDINGS_FILE) as temporary:
        temporary.write_bytes(
            save({name: value.detach().float().cpu().contiguous() for name, value in tensors.items()})
        )
