"""Frozen VGG feature extractors of perceptual losses, from files the user has.

Three layouts are read: torchvision's VGG-16 and VGG-19 (ImageNet classification) and the slim VGG-19 of Collaborative
Distillation (Wang et al., 2020), a sixteenth of its size. Nothing is ever downloaded from here: training must not
depend on a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.weights.reading import check_finite
from portraitdata.networks.safe_loading import load_safely

BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions of the five blocks of VGG-19; a 2x2 maximum pooling lies between two blocks."""

CONVOLUTIONS = tuple(f"conv{block}_{i}" for block, count in enumerate(BLOCKS, 1) for i in range(1, count + 1))
"""The sixteen convolutions by the name of the paper (Simonyan and Zisserman, 2015), in their order."""

VGG16 = tuple(name for name in CONVOLUTIONS if not name.endswith("_4"))
"""The thirteen convolutions of VGG-16, whose last three blocks have three instead of four."""

TORCHVISION_KEYS = {
    name: f"features.{index}"
    for name, index in zip(CONVOLUTIONS, (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34), strict=True)
}
"""Every convolution in torchvision's state dict of VGG-19, whose numbers count rectifiers and poolings too."""

TORCHVISION_VGG16_KEYS = {
    name: f"features.{index}"
    for name, index in zip(VGG16, (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), strict=True)
}
"""The same of VGG-16."""

SLIM_KEYS = {name: name.replace("_", "") for name in CONVOLUTIONS[: CONVOLUTIONS.index("conv5_1") + 1]}
"""Every convolution in Collaborative Distillation's state dict, which ends at conv5_1."""

TORCHVISION_FILES = {"vgg16": ("vgg16-397923af.pth", 528), "vgg19": ("vgg19-dcbb9e9d.pth", 548)}
"""Files that torchvision publishes, and their sizes in MB."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Padding = Literal["zeros", "reflect"]
Weights = Mapping[str, tuple[Tensor, Tensor]]


class MissingBackboneError(FileNotFoundError):
    """The weights of a perceptual backbone are not on this machine."""


class VGG(nn.Module):
    """Convolutional part of a frozen VGG-16 or VGG-19, cut off after any of its convolutions.

    The weights are buffers outside the state dict: an optimizer cannot reach them and a checkpoint does not carry
    them. Everything is computed in float32 outside autocast, as small differences of large features are wanted, unless
    `precise` is set to False: the convolutions then follow autocast, in half of the time or less.

    Args:
        colours: Kernel (3 3 1 1) and bias of the map from RGB in [0, 1] to the colours the weights were trained on.
        weights: Kernel and bias of the convolutions, by name, in the order of the network.
        padding: What the 3x3 convolutions see beyond the border.
        layers: Layers that the perceptual loss compares where none are named, each with its weight.
    """

    def __init__(
        self, colours: tuple[Tensor, Tensor], weights: Weights, padding: Padding, layers: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.names = tuple(weights)
        self.padding = padding
        self.precise = True
        self.layers = dict(layers)
        for name, (kernel, bias) in {"colours": colours, **{name: weights[name] for name in self.names}}.items():
            self.register_buffer(f"{name}_weight", kernel.detach().float().clone(), persistent=False)
            self.register_buffer(f"{name}_bias", bias.detach().float().clone(), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"], layers: Sequence[str]) -> dict[str, Float[Tensor, "b _ _ _"]]:
        """Features by layer, in their order: ``conv3_4`` before the rectifier, ``relu3_4`` after it.

        Poolings halve the map; a layer whose map would be smaller than a pixel (two pixels, where the border is
        mirrored) is left out.

        Raises:
            ValueError: If there is no such layer, or the images are too small for the first one.
        """
        self.check_layers(layers)
        depth = max(self.names.index(layer.replace("relu", "conv")) for layer in layers)
        features: dict[str, Tensor] = {}
        with torch.autocast(images.device.type, enabled=False) if self.precise else nullcontext():
            x = self.convolve(images.float(), "colours", 0)
            for name in self.names[: depth + 1]:
                if name.endswith("_1") and name != "conv1_1":
                    x = F.max_pool2d(x, 2) if min(x.shape[-2:]) >= 2 * self.smallest_side else x[..., :0, :0]
                if min(x.shape[-2:]) < self.smallest_side:
                    break
                x = self.convolve(x, name, 1)
                rectified = name.replace("conv", "relu")
                if name in layers:
                    features[name] = x
                x = F.relu(x)
                if rectified in layers:
                    features[rectified] = x
        if not features:
            raise ValueError(f"Images of {images.shape[-2]} x {images.shape[-1]} pixels are too small for {layers[0]}.")
        return features

    @property
    def smallest_side(self) -> int:
        """Smallest side of a map that can be convolved, in pixels."""
        return 1 if self.padding == "zeros" else 2

    def convolve(self, x: Float[Tensor, "b i h w"], name: str, border: int) -> Float[Tensor, "b o h w"]:
        """Apply the convolution of that name, with a border of so many pixels."""
        kernel, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
        if self.padding == "reflect" and border:
            return F.conv2d(F.pad(x, (border,) * 4, mode="reflect"), kernel, bias)
        return F.conv2d(x, kernel, bias, padding=border)

    def channels(self, layer: str) -> int:
        """Channels of a layer."""
        return len(self.get_buffer(f"{layer.replace('relu', 'conv')}_bias"))

    def check_layers(self, layers: Sequence[str]) -> None:
        """Say which layers there are; ValueError if none or an unknown one is named."""
        known = {*self.names, *(name.replace("conv", "relu") for name in self.names)}
        unknown = [layer for layer in layers if layer not in known]
        if unknown or not layers:
            raise ValueError(
                f"This VGG has the layers conv1_1 to {self.names[-1]} (before the rectifier) and relu1_1 to "
                f"{self.names[-1].replace('conv', 'relu')} (after it), got {unknown or 'none'}."
            )


def load_backbone(backbone: str | Path) -> VGG:
    """Load a perceptual backbone.

    Args:
        backbone: ``vgg16`` or ``vgg19`` for torchvision's weights in the cache of torch.hub, or the path of a file
            (.pth or .safetensors) with torchvision's VGG-16 or VGG-19 or the slim one of Collaborative Distillation.

    Raises:
        MissingBackboneError: If there is no such file.
        ValueError: If the file is damaged or holds some other network.
    """
    path = find_backbone(backbone)
    tensors = read_tensors(path)
    if holds(tensors, TORCHVISION_KEYS.values()):
        return torchvision_vgg19(tensors)
    if holds(tensors, TORCHVISION_VGG16_KEYS.values()):
        return torchvision_vgg16(tensors)
    if holds(tensors, ["conv0", *SLIM_KEYS.values()]):
        return slim_vgg19(tensors)
    raise ValueError(
        f"{path} holds neither torchvision's VGG-19 or VGG-16 (features.0.weight, ...) nor the slim VGG-19 "
        f"(conv0.weight, conv11.weight, ...); its first keys are {sorted(tensors)[:3]}."
    )


def find_backbone(backbone: str | Path) -> Path:
    """File of a backbone's name or path, see `load_backbone`; MissingBackboneError if there is no such file."""
    if isinstance(backbone, str) and backbone in TORCHVISION_FILES:
        file, size = TORCHVISION_FILES[backbone]
        path = Path(torch.hub.get_dir()) / "checkpoints" / file
        source = (
            f"torchvision publishes it as the IMAGENET1K_V1 weights of {backbone} ({file}, {size} MB); put it there, "
            "point TORCH_HOME to where it is"
        )
    else:
        path = Path(backbone)
        source = (
            "It may be torchvision's VGG-16 or VGG-19 or the slim one of Collaborative Distillation; correct the path"
        )
    if not path.is_file():
        raise MissingBackboneError(
            f"The perceptual backbone {path} is missing. {source}, or turn the term off with null."
        )
    return path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a .safetensors or a torch file; of the latter, nothing but tensors is ever unpickled.

    Raises:
        ValueError: If the file cannot be read safely, or does not hold named tensors with finite values.
    """
    content = load_safely(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold tensors by name, got a {type(content).__name__}.")
    tensors: dict[str, Tensor] = content.get("model", content)
    check_finite(tensors, path)
    return tensors


def torchvision_vgg19(tensors: Mapping[str, Tensor]) -> VGG:
    """Build the backbone from the state dict of ``torchvision.models.vgg19``.

    Its layers and weights are the usual ones of super-resolution (Wang et al., Real-ESRGAN, 2021): the last
    convolution of every block, before the rectifier.
    """
    layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
    return VGG(imagenet_colours(), renamed(tensors, TORCHVISION_KEYS), "zeros", layers)


def torchvision_vgg16(tensors: Mapping[str, Tensor]) -> VGG:
    """Build the backbone from the state dict of ``torchvision.models.vgg16``; layers as in `torchvision_vgg19`."""
    layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 1.0}
    return VGG(imagenet_colours(), renamed(tensors, TORCHVISION_VGG16_KEYS), "zeros", layers)


def imagenet_colours() -> tuple[Tensor, Tensor]:
    """Kernel and bias of the map from RGB in [0, 1] to torchvision's colours: mean subtracted, divided by deviation."""
    std = torch.tensor(IMAGENET_STD)
    return torch.diag(1 / std).reshape(3, 3, 1, 1), -torch.tensor(IMAGENET_MEAN) / std


def slim_vgg19(tensors: Mapping[str, Tensor]) -> VGG:
    """Build the backbone from the state dict of Collaborative Distillation's encoder, which ends at conv5_1.

    Its first convolution, 1x1, makes Caffe's colours (BGR, 0 to 255, mean subtracted) of RGB in [0, 1]. The layers
    are those it was distilled at, each weighted by one over its mean activation on portraits, so that all count the
    same.
    """
    layers = {"relu1_1": 0.33, "relu2_1": 0.12, "relu3_1": 0.22, "relu4_1": 0.54, "relu5_1": 0.16}
    return VGG((tensors["conv0.weight"], tensors["conv0.bias"]), renamed(tensors, SLIM_KEYS), "reflect", layers)


def holds(tensors: Mapping[str, Tensor], keys: Iterable[str]) -> bool:
    """True if there are a kernel and a bias for every one of the keys."""
    return all(f"{key}.{part}" in tensors for key in keys for part in ("weight", "bias"))


def renamed(tensors: Mapping[str, Tensor], keys: Mapping[str, str]) -> Weights:
    """Kernel and bias of every convolution, by our name, from a file's names for them."""
    return {name: (tensors[f"{key}.weight"], tensors[f"{key}.bias"]) for name, key in keys.items()}
