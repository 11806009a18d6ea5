"""Modulated deformable convolution (Zhu et al., 2019), by torchvision's operator or by sampling.

torchvision's operator is made for CUDA. On the CPU its backward pass is single-threaded and takes two thirds of a
training step, it has no bfloat16 kernel and no MPS kernel, and it cannot be exported: there the same sum is taken by
bilinear sampling and one matrix product, which is faster on the CPU and differentiable everywhere.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hime.blocks.sampling import sample

CACHED_PIXELS = 1024
"""Pixels whose sampled taps fit into a core's second-level cache (32 channels, 9 taps: about 1 MB)."""


def deform_conv2d(
    x: Float[Tensor, "b c h w"],
    offset: Float[Tensor, "b yx h w"],
    mask: Float[Tensor, "b gk h w"],
    weight: Float[Tensor, "o c kh kw"],
    bias: Float[Tensor, " o"] | None = None,
) -> Float[Tensor, "b o h w"]:
    """Deformable convolution of stride one and "same" padding, on whatever device the input is.

    Convention: `offset` and `mask` are those of `torchvision.ops.deform_conv2d`. Of group g and tap k (row by row),
    channel ``2 * (K * g + k)`` of the offset moves the sampling point down and the next one right, both in pixels;
    samples outside the image are zero. Sampling is in float32 at least, whatever the dtype of the input: eight bits
    of mantissa are not enough for a position.

    Args:
        offset: Displacement of every tap, in pixels.
        mask: Modulation of every tap.
        weight: Kernel; its sides must be odd.
    """
    if x.is_cuda and torchvision_has_cuda():
        return deform_conv2d_by_torchvision(x, offset, mask, weight, bias)
    if x.device.type != "cpu":
        return deform_conv2d_by_sampling(x, offset, mask, weight, bias)
    # The sampled taps of a few images at a time stay in the cache: twice as fast at 32 x 32 pixels.
    images = max(1, CACHED_PIXELS // (x.shape[-2] * x.shape[-1]))
    parts = zip(x.split(images), offset.split(images), mask.split(images), strict=True)
    return torch.cat([deform_conv2d_by_sampling(*part, weight, bias) for part in parts])


def torchvision_has_cuda() -> bool:
    """True if torchvision was built for CUDA; one for the CPU beside a torch for CUDA is a common accident."""
    import torchvision

    return getattr(torchvision.version, "cuda", None) is not None  # a build for the CPU lacks the name


def deform_conv2d_by_torchvision(
    x: Float[Tensor, "b c h w"],
    offset: Float[Tensor, "b yx h w"],
    mask: Float[Tensor, "b gk h w"],
    weight: Float[Tensor, "o c kh kw"],
    bias: Float[Tensor, " o"] | None = None,
) -> Float[Tensor, "b o h w"]:
    """`deform_conv2d` by torchvision's operator, which knows no bfloat16, in float32 at least."""
    from torchvision.ops import deform_conv2d as operator

    padding = (weight.shape[-2] // 2, weight.shape[-1] // 2)
    dtype = torch.promote_types(x.dtype, torch.float32)
    wide = [tensor.to(dtype) for tensor in (x, offset, weight)]
    with torch.autocast(x.device.type, enabled=False):
        out = operator(*wide, None if bias is None else bias.to(dtype), padding=padding, mask=mask.to(dtype))
    return out.to(x.dtype)


def deform_conv2d_by_sampling(
    x: Float[Tensor, "b c h w"],
    offset: Float[Tensor, "b yx h w"],
    mask: Float[Tensor, "b gk h w"],
    weight: Float[Tensor, "o c kh kw"],
    bias: Float[Tensor, " o"] | None = None,
) -> Float[Tensor, "b o h w"]:
    """`deform_conv2d` as bilinear sampling of every tap, then one matrix product over channels and taps.

    Equal to torchvision's operator in value and gradient up to float32 rounding. Memory is that of the sampled taps,
    ``b * c * kh * kw * h * w`` numbers.
    """
    height = x.shape[-2]
    taps = weight.shape[-2] * weight.shape[-1]
    groups = mask.shape[1] // taps
    dtype = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        right, down = sampling_positions(offset.to(dtype), weight.shape[-2], weight.shape[-1])
        sampled = sample(rearrange(x, "b (g c) h w -> (b g) c h w", g=groups), right, down)
        modulation = rearrange(mask.to(dtype), "b (g k) h w -> (b g) 1 (k h) w", g=groups)
        columns = rearrange(sampled * modulation, "(b g) c (k h) w -> b (g c k) (h w)", g=groups, k=taps, h=height)
    out = weight.flatten(1) @ columns.to(weight.dtype)
    out = rearrange(out, "b o (h w) -> b o h w", h=height)
    return out if bias is None else out + bias.to(out.dtype).reshape(-1, 1, 1)


def sampling_positions(
    offset: Float[Tensor, "b yx h w"], kernel_height: int, kernel_width: int
) -> tuple[Float[Tensor, "bg kh w"], Float[Tensor, "bg kh w"]]:
    """Column and row that every tap of every group samples, in pixels."""
    height, width = offset.shape[-2:]
    device = offset.device
    tap_y, tap_x = torch.meshgrid(
        torch.arange(kernel_height, device=device) - kernel_height // 2,
        torch.arange(kernel_width, device=device) - kernel_width // 2,
        indexing="ij",
    )
    rows = torch.arange(height, device=device).reshape(1, -1, 1) + tap_y.reshape(-1, 1, 1)
    columns = torch.arange(width, device=device).reshape(1, 1, -1) + tap_x.reshape(-1, 1, 1)
    down, right = rearrange(offset, "b (g k yx) h w -> yx (b g) k h w", k=kernel_height * kernel_width, yx=2)
    return (right + columns).flatten(1, 2), (down + rows).flatten(1, 2)


class DeformableConv2d(nn.Module):
    """Kernel and bias of a modulated deformable convolution of stride one.

    Args:
        kernel_size: Side of the kernel in pixels, odd.

    Raises:
        ValueError: If the kernel's side is even.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"A deformable convolution with 'same' padding needs an odd kernel, got {kernel_size}.")
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(
        self, x: Float[Tensor, "b c h w"], offset: Float[Tensor, "b yx h w"], mask: Float[Tensor, "b gk h w"]
    ) -> Float[Tensor, "b o h w"]:
        """Sample `x` at the displaced taps and convolve."""
        return deform_conv2d(x, offset, mask, self.weight, self.bias)
