"""SPyNet, the optical flow estimator of HIME (large): Ranjan and Black (2017), six levels."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hime.blocks.sampling import warp

WIDTHS = (8, 32, 64, 32, 16, 2)
"""Channels in and out of the five 7x7 convolutions of a level."""

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

    The published weights are for non-commercial use, so training starts without them: the last convolution of every
    level is zero, the flow is zero, and HIME (large) starts as HIME (small). The paper's parameter count of the large
    model (+8.4 M) fits no SPyNet, which has 1.44 M; its operation count does.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, levels: int = 6) -> None:
        super().__init__()
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
            flow = upsample_flow(flow, one.shape[-2], one.shape[-1])
            flow = flow + level(torch.cat((one, warp(two, flow, edge=True), flow), dim=1)).float()
        scale = flow.new_tensor((width / padded[1], height / padded[0])).reshape(1, 2, 1, 1)
        return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * scale


def upsample_flow(flow: Float[Tensor, "b 2 h w"], height: int, width: int) -> Float[Tensor, "b 2 {height} {width}"]:
    """Enlarge a flow field, its vectors with it."""
    factor = flow.new_tensor((width / flow.shape[-1], height / flow.shape[-2])).reshape(1, 2, 1, 1)
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * factor
