"""Multiply-accumulates of any network as `hime profile` counts them: every convolution, deformable too."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hime.blocks.deformable import DeformableConv2d


def multiply_accumulates(network: nn.Module, run: Callable[[], object]) -> int:
    """Those of the convolutions of `network` while `run` runs."""
    counted = 0

    def note(conv: nn.Module, _: object, out: Tensor) -> None:
        nonlocal counted
        weight = conv.get_parameter("weight")
        counted += out.numel() * math.prod(weight.shape[1:])

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | DeformableConv2d)
    ]
    try:
        with torch.inference_mode():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return counted
