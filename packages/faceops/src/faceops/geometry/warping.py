"""Affine warps of a ragged set of windows out of a batch of images, as `cv2.warpAffine`, differentiable.

Several windows of one image are sampled in one go and no image is copied for each of its windows: at 1024 pixels and
32 faces such copies alone would take 400 MB, and as much again in the backward pass.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.similarity import compose, invert, resized, scale_of

REDUCTION_LIMIT = 1.5
"""Reductions up to this are sampled bilinearly even with `antialias`: the footprint of the taps still covers them."""


def warp_affine(
    images: Float[Tensor, "b c h w"],
    matrix: Float[Tensor, "n 2 3"],
    size: int | tuple[int, int],
    image_index: Int[Tensor, " _"] | None = None,
    *,
    fill: float | Sequence[float] = 0.0,
    antialias: bool = False,
) -> Float[Tensor, "n c height width"]:
    """Warp windows out of images, bilinearly; differentiable in the images and in the matrices.

    Convention: a matrix maps pixels (x, y) of its image to pixels of the window, pixel centres at integers, as in
    `cv2.warpAffine` with its defaults; beyond the image there is `fill` (BORDER_CONSTANT). Without `antialias` the
    values are those of OpenCV 5 in float up to rounding; OpenCV 4 rounds positions to 1/32 pixel.

    Args:
        images: Any channels, any range.
        matrix: One for each window.
        size: Side of the windows, or (height, width), in pixels.
        image_index: Which image each window is from; None for one of each image, in order.
        fill: What surrounds the images; a number or one for each channel.
        antialias: Where an image is reduced by more than `REDUCTION_LIMIT`, take means: halve it by 2 x 2 pixels until
            no more than twice that limit is left, sample four times as densely as wanted, and average these. Powers
            of two become exact means of areas.

    Raises:
        ValueError: If matrices, indices or sizes do not fit.

    Example:
        >>> image = torch.arange(6.0).reshape(1, 1, 2, 3)
        >>> right = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
        >>> warp_affine(image, right, (2, 3), fill=9.0).tolist()
        [[[[9.0, 0.0, 1.0], [9.0, 3.0, 4.0]]]]
    """
    height, width = (size, size) if isinstance(size, int) else size
    index = _checked_index(images, matrix, image_index, height, width)
    if len(matrix) == 0:
        return images.new_zeros(0, images.shape[1], height, width)
    values = torch.as_tensor(fill, dtype=torch.float64).reshape(-1, 1, 1)
    halvings = _halvings(matrix) if antialias else [-1] * len(matrix)
    if set(halvings) == {-1}:
        return _sample(images, matrix, index, height, width, values)
    parts, order = [], []
    for level in sorted(set(halvings)):
        members = [face for face, halved in enumerate(halvings) if halved == level]
        parts.append(_reduce(images, matrix[members], index[members], (height, width), values, level))
        order += members
    return torch.cat(parts)[torch.tensor(order).argsort().to(images.device)]


def _checked_index(
    images: Tensor, matrix: Tensor, image_index: Tensor | None, height: int, width: int
) -> Int[Tensor, " n"]:
    """Index on the CPU, where the grouping is done."""
    if height < 1 or width < 1 or 0 in images.shape[2:]:
        raise ValueError(
            f"Images and windows need at least one pixel; the images are {tuple(images.shape)}, the windows "
            f"{height} x {width}."
        )
    if image_index is None:
        if len(matrix) != len(images):
            raise ValueError(
                f"{len(matrix)} matrices do not fit {len(images)} images one to one; say by `image_index` which image "
                "each belongs to."
            )
        return torch.arange(len(images))
    if len(image_index) != len(matrix):
        raise ValueError(f"`image_index` names {len(image_index)} images for {len(matrix)} matrices.")
    index = image_index.detach().cpu().long()
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(images):
        raise ValueError(
            f"`image_index` must name images 0 to {len(images) - 1}, got {int(index.min())} to {int(index.max())}."
        )
    return index


def _halvings(matrix: Tensor) -> list[int]:
    """Number of halvings of the image before each window is sampled densely; -1: sampled as it is."""
    reductions = (1 / scale_of(matrix.detach())).tolist()
    return [math.floor(math.log2(r / REDUCTION_LIMIT)) if r > REDUCTION_LIMIT else -1 for r in reductions]


def _reduce(images: Tensor, matrix: Tensor, index: Tensor, size: tuple[int, int], fill: Tensor, level: int) -> Tensor:
    if level < 0:
        return _sample(images, matrix, index, *size, fill)
    used, index = index.unique(return_inverse=True)
    reduced = _select(images, used)
    for _ in range(level):
        reduced = F.avg_pool2d(reduced, 2, ceil_mode=True)
    denser = compose(resized(2.0, matrix.device), compose(matrix, resized(2.0**level, matrix.device)))
    return F.avg_pool2d(_sample(reduced, denser, index, 2 * size[0], 2 * size[1], fill), 2)


def _sample(images: Tensor, matrix: Tensor, index: Tensor, height: int, width: int, fill: Tensor) -> Tensor:
    """One bilinear tap for each pixel of each window.

    Windows are grouped by how many others their image has, so that all windows of such images are one tall grid each.
    """
    batch, channels, rows, columns = images.shape
    counts = index.bincount(minlength=batch)
    order = (counts[index] * batch + index).argsort(stable=True)
    used = index[order].unique_consecutive()
    with torch.autocast(images.device.type, enabled=False):
        dtype = torch.promote_types(images.dtype, torch.float32)
        theta = normalised(matrix, (rows, columns), (height, width)).to(images.device, dtype)
        theta = theta if _is_range(order, len(order)) else theta[order.to(theta.device)]
        selected = _select(images, used).to(dtype)
        windows_each, images_each = counts[used].unique_consecutive(return_counts=True)
        parts = []
        start = 0
        for group, k in zip(selected.split(images_each.tolist()), windows_each.tolist(), strict=True):
            stop = start + len(group) * k
            grid = F.affine_grid(theta[start:stop], [stop - start, channels, height, width], align_corners=False)
            tall = grid.reshape(len(group), k * height, width, 2)
            sampled = F.grid_sample(group, tall, padding_mode="zeros", align_corners=False)
            windows = sampled.unflatten(2, (k, height)).transpose(1, 2).flatten(0, 1)
            if bool(fill.any()):
                windows = windows + fill.to(windows) * (1 - _coverage(grid, rows, columns))
            parts.append(windows)
            start = stop
    out = parts[0] if len(parts) == 1 else torch.cat(parts)
    out = out if _is_range(order, len(order)) else out[order.argsort().to(out.device)]
    return out.to(images.dtype)


def _select(images: Tensor, used: Tensor) -> Tensor:
    return images if _is_range(used, len(images)) else images.index_select(0, used.to(images.device))


def _is_range(index: Tensor, count: int) -> bool:
    return torch.equal(index, torch.arange(count))


def _coverage(grid: Tensor, rows: int, columns: int) -> Tensor:
    """Share of each tap that lies on the image: what an image of ones would be sampled to."""
    x = ((grid[..., 0] + 1) * columns - 1) / 2
    y = ((grid[..., 1] + 1) * rows - 1) / 2
    across = torch.minimum(x + 1, columns - x).clamp(0, 1)
    down = torch.minimum(y + 1, rows - y).clamp(0, 1)
    return (across * down).unsqueeze(1)


def normalised(
    matrix: Float[Tensor, "n 2 3"], source: tuple[int, int], output: tuple[int, int]
) -> Float[Tensor, "n 2 3"]:
    """`theta` of torch's `affine_grid` from a matrix in pixels; in float64.

    Convention: sizes are (height, width); for ``align_corners=False`` in both `affine_grid` and `grid_sample`. theta is
    N(source) inverse(matrix) inverse(N(output)), N being the map from pixels to [-1, 1].

    Example:
        >>> same = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> normalised(same, (4, 8), (4, 8)).tolist()
        [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    to_grid, from_grid = _to_grid(*source).to(matrix.device), invert(_to_grid(*output)).to(matrix.device)
    back = invert(matrix.double())
    return compose(to_grid, compose(back, from_grid)).add(0.0)


def _to_grid(height: int, width: int) -> Tensor:
    rows = [[[2 / width, 0.0, 1 / width - 1], [0.0, 2 / height, 1 / height - 1]]]
    return torch.tensor(rows, dtype=torch.float64)
