"""Bilinear sampling of feature maps at positions in pixels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NATIVE = ("cpu", "cuda")
"""Devices on which torch's `grid_sample` has a kernel for the backward pass, too."""


def sample(
    x: Float[Tensor, "b c h w"], right: Float[Tensor, "b m n"], down: Float[Tensor, "b m n"], edge: bool = False
) -> Float[Tensor, "b c m n"]:
    """Sample `x` bilinearly, on whatever device it is; computed in float32 at least.

    Convention: positions count pixels from the centre of the first one. Outside the image there are zeros, or the
    nearest pixel of the edge.

    Args:
        edge: Repeat the edge instead of zeros.

    Example:
        >>> x = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
        >>> sample(x, torch.tensor([[[0.5, 1.0]]]), torch.tensor([[[0.0, 0.5]]])).tolist()
        [[[[0.5, 2.0]]]]
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        x, right, down = x.to(dtype), right.to(dtype), down.to(dtype)
        if x.device.type not in NATIVE:
            return sample_by_gathering(x, right, down, edge)
        height, width = x.shape[-2:]
        grid = torch.stack(((2 * right + 1) / width - 1, (2 * down + 1) / height - 1), dim=-1)
        return F.grid_sample(x, grid, padding_mode="border" if edge else "zeros", align_corners=False)


def sample_by_gathering(
    x: Float[Tensor, "b c h w"], right: Float[Tensor, "b m n"], down: Float[Tensor, "b m n"], edge: bool
) -> Float[Tensor, "b c m n"]:
    """`sample` by four look-ups, for devices whose `grid_sample` cannot be differentiated."""
    height, width = x.shape[-2:]
    if edge:
        right, down = right.clamp(0, width - 1), down.clamp(0, height - 1)
    left, top = right.detach().floor(), down.detach().floor()
    pixels = x.flatten(2)
    out = x.new_zeros(x.shape[0], x.shape[1], right.shape[1] * right.shape[2])
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        weight = (1 - (right - column).abs()) * (1 - (down - row).abs()) * inside
        index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long().flatten(1).unsqueeze(1)
        out = out + pixels.gather(2, index.expand(-1, x.shape[1], -1)) * weight.flatten(1).unsqueeze(1)
    return out.unflatten(2, right.shape[1:])


def warp(x: Float[Tensor, "b c h w"], flow: Float[Tensor, "b 2 h w"], edge: bool = False) -> Float[Tensor, "b c h w"]:
    """Backward warp (HIME, Eq. 2): pixel p of the output is `x` at p + flow(p).

    Convention: flow is (right, down) in pixels; outside the image there are zeros, or the repeated edge.
    """
    rows = torch.arange(x.shape[-2], device=x.device).unsqueeze(1)
    columns = torch.arange(x.shape[-1], device=x.device)
    dtype = torch.promote_types(flow.dtype, torch.float32)
    return sample(x, flow[:, 0].to(dtype) + columns, flow[:, 1].to(dtype) + rows, edge).to(x.dtype)
