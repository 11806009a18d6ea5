"""SPyNet, the optical flow estimator of HIME (large): Ranjan and Black (2017), six levels."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hime.blocks.sampling import warp

WIDTHS = (8, 32, 64, 32, 16, 2)
"""Channels in and out of the five 7x7 convolutions of a level."""

FlowGrid = Literal["centres", "corners"]
"""Points of a flow field that stay in place when it is enlarged: those of the edges of its corner pixels, as everywhere
here, or the centres of its corner pixels, as in the published network."""

PUBLISHED = re.compile(r"(moduleBasic|netBasic|basic_module)\.(\d+)\.\1\.(\d+)\.(conv\.)?(weight|bias)")
"""Names of the published weights: pytorch-spynet's files, BasicSR's, and MMEditing's, which count no rectifiers."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SPyNetLevel(nn.Sequential):
    """Residual flow of one pyramid level from first image, warped second image and the flow so far."""

    def __init__(self) -> None:
        convolutions = [nn.Conv2d(inputs, outputs, 7, padding=3) for inputs, outputs in pairwise(WIDTHS)]
        layers: list[nn.Module] = []
        for convolution in convolutions[:-1]:
            layers += [convolution, nn.ReLU()]
        super().__init__(*layers, convolutions[-1])
        for parameter in convolutions[-1].parameters():
            nn.init.zeros_(parameter)


class SPyNet(nn.Module):
    """Coarse-to-fine optical flow by a spatial pyramid.

    The published weights are for non-commercial use and do not come along: without them the last convolution of every
    level is zero, the flow is zero, and HIME (large) starts as HIME (small). `published_weights` reads them. The
    paper's parameter count of the large model (+8.4 M) fits no SPyNet, which has 1.44 M; its operation count does.

    Args:
        levels: Levels of the pyramid.
        grid: How a flow field is enlarged; ``corners`` for the published weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, levels: int = 6, grid: FlowGrid = "centres") -> None:
        super().__init__()
        self.grid = grid
        self.levels = nn.ModuleList(SPyNetLevel() for _ in range(levels))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2 h w"]:
        """Flow from every pixel of `first` to its match in `second`, (right, down) in pixels, float32."""
        height, width = first.shape[-2:]
        multiple = 2 ** (len(self.levels) - 1)
        padded = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        pyramid = [
            tuple(
                F.interpolate((image.float() - self.mean) / self.std, padded, mode="bilinear", align_corners=False)
                for image in (first, second)
            )
        ]
        for _ in self.levels[1:]:
            pyramid.append(tuple(F.avg_pool2d(image, 2) for image in pyramid[-1]))
        flow = first.new_zeros(first.shape[0], 2, 1, 1, dtype=torch.float32)
        for level, (one, two) in zip(self.levels, reversed(pyramid), strict=True):
            flow = upsample_flow(flow, one.shape[-2], one.shape[-1], self.grid)
            flow = flow + level(torch.cat((one, warp(two, flow, edge=True), flow), dim=1)).float()
        scale = flow.new_tensor((width / padded[1], height / padded[0])).reshape(1, 2, 1, 1)
        return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * scale


def upsample_flow(
    flow: Float[Tensor, "b 2 h w"], height: int, width: int, grid: FlowGrid = "centres"
) -> Float[Tensor, "b 2 {height} {width}"]:
    """Enlarge a flow field, its vectors with it."""
    factor = flow.new_tensor((width / flow.shape[-1], height / flow.shape[-2])).reshape(1, 2, 1, 1)
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=grid == "corners") * factor


def published_weights(tensors: Mapping[str, object], source: str) -> dict[str, Tensor]:
    """Published weights of SPyNet by the names of the parameters here.

    Args:
        tensors: Content of a file, in any of the layouts that `PUBLISHED` names.
        source: The file, for the error.

    Raises:
        ValueError: If it holds something else.
    """
    inner = tensors.get("params", tensors)
    found: dict[str, Tensor] = {}
    for name, tensor in inner.items() if isinstance(inner, Mapping) else ():
        match = PUBLISHED.fullmatch(str(name))
        if match is not None and isinstance(tensor, Tensor):
            _, level, layer, counted_alone, kind = match.groups()
            found[f"levels.{level}.{int(layer) * (2 if counted_alone else 1)}.{kind}"] = tensor.float()
    wanted = {name: parameter.shape for name, parameter in SPyNet().named_parameters()}
    if {name: tensor.shape for name, tensor in found.items()} != wanted:
        raise ValueError(
            f"{source} holds no published weights of SPyNet: wanted are six levels of five convolutions of "
            f"7 x 7, named as in pytorch-spynet, BasicSR or MMEditing; {len(found)} tensors have such names."
        )
    return found
