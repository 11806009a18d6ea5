"""Learned metrics by the names of OSEDiff's protocol: who computes each, which files it needs, where they belong."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

Library = Literal["torchmetrics", "pyiqa"]
Cache = Literal["torch", "pyiqa", "clip", "hugging face"]

PYTORCH = "https://download.pytorch.org/models"
PYIQA_HUB = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"
CLIP_RN50 = (
    "https://openaipublic.azureedge.net/clip/models/"
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt"
)


def cache_folder(cache: Cache) -> Path:
    """Folder in which a library looks for weights; it need not exist.

    Convention: ``torch.hub.get_dir()``, which TORCH_HOME moves, has torchvision's files in ``checkpoints``, pyiqa's in
    ``pyiqa`` and CLIP's in ``clip``; HF_HUB_CACHE or HF_HOME moves the one of Hugging Face.
    """
    if cache == "hugging face":
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
        return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return Path(torch.hub.get_dir()) / {"torch": "checkpoints", "pyiqa": "pyiqa", "clip": "clip"}[cache]


@dataclass(frozen=True)
class WeightsFile:
    """A file (or, of Hugging Face, a folder) that a metric needs beside its package."""

    file: str
    """Name in the cache folder."""
    cache: Cache
    url: str
    """Where the library fetches it from."""

    @property
    def path(self) -> Path:
        """Where it is, or would be."""
        return cache_folder(self.cache) / self.file


@dataclass(frozen=True)
class LearnedMetric:
    """A metric that is a network."""

    name: str
    """As in OSEDiff's protocol and in pyiqa."""
    library: Library
    """Implementation that computes it."""
    convention: str
    """In a few words, for tables."""
    higher_is_better: bool
    files: tuple[WeightsFile, ...]
    compares: bool = True
    """True if it looks at the target."""
    of_the_set: bool = False
    """True if it is one number for all images."""

    @property
    def missing(self) -> tuple[WeightsFile, ...]:
        """Files that are not there."""
        return tuple(file for file in self.files if not file.path.exists())


ALEXNET = WeightsFile("alexnet-owt-7be5be79.pth", "torch", f"{PYTORCH}/alexnet-owt-7be5be79.pth")
VGG16 = WeightsFile("vgg16-397923af.pth", "torch", f"{PYTORCH}/vgg16-397923af.pth")
VIT = WeightsFile(
    "models--timm--vit_base_patch8_224.augreg2_in21k_ft_in1k",
    "hugging face",
    "https://huggingface.co/timm/vit_base_patch8_224.augreg2_in21k_ft_in1k",
)


def _pyiqa(file: str) -> WeightsFile:
    return WeightsFile(file, "pyiqa", f"{PYIQA_HUB}/{file}")


LEARNED_METRICS = (
    LearnedMetric("lpips", "torchmetrics", "version 0.1, AlexNet", False, (ALEXNET,)),
    LearnedMetric("lpips-vgg", "torchmetrics", "version 0.1, VGG-16", False, (VGG16,)),
    LearnedMetric("dists", "torchmetrics", "VGG-16", False, (VGG16,)),
    LearnedMetric(
        "niqe", "pyiqa", "Y of YIQ, no reference", False, (_pyiqa("niqe_modelparameters.mat"),), compares=False
    ),
    LearnedMetric(
        "musiq", "pyiqa", "KonIQ, no reference", True, (_pyiqa("musiq_koniq_ckpt-e95806b9.pth"),), compares=False
    ),
    LearnedMetric(
        "clipiqa",
        "pyiqa",
        "CLIP RN50, no reference",
        True,
        (WeightsFile("RN50.pt", "clip", CLIP_RN50),),
        compares=False,
    ),
    LearnedMetric(
        "maniqa-pipal",
        "pyiqa",
        "20 crops, no reference",
        True,
        (_pyiqa("MANIQA_PIPAL-ae6d356b.pth"), VIT),
        compares=False,
    ),
    LearnedMetric(
        "fid",
        "pyiqa",
        "clean-fid, compare at equal numbers of images only",
        False,
        (_pyiqa("pt_inception-2015-12-05-6726825d.pth"),),
        of_the_set=True,
    ),
)
"""All that are known, in the order of the tables of HeadsUp; names and files as of pyiqa 0.1.16."""


def find_learned_metric(name: str) -> LearnedMetric | None:
    """The row of that name, if there is one.

    Example:
        >>> find_learned_metric("musiq").library, find_learned_metric("psnr")
        ('pyiqa', None)
    """
    return next((row for row in LEARNED_METRICS if row.name == name), None)
