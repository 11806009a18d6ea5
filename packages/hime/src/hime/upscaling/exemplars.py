"""Exemplars: photographs of the same person, brought to the frame of the output."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.images.resampling import bicubic


def cover(image: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "c {height} {width}"]:
    """Cut the largest centred part of the wanted aspect ratio and resample it by bicubic, in [0, 1].

    Only the middle is kept, so the face should sit in an exemplar about as it sits in the input.

    Example:
        >>> cover(torch.arange(6.0).div(6).expand(1, 2, 6), 2, 2).mul(6).round()[0].tolist()
        [[2.0, 3.0], [2.0, 3.0]]
    """
    rows, columns = image.shape[-2:]
    kept_rows = min(rows, max(1, round(columns * height / width)))
    kept_columns = min(columns, max(1, round(rows * width / height)))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    part = image[:, top : top + kept_rows, left : left + kept_columns]
    return bicubic(part, height, width).clamp(0, 1)


def stack_exemplars(
    images: Sequence[Float[Tensor, "3 _ _"]], height: int, width: int
) -> Float[Tensor, "n 3 {height} {width}"]:
    """All exemplars in one tensor; none gives n = 0."""
    if not images:
        return torch.zeros(0, 3, height, width)
    return torch.stack([cover(image, height, width) for image in images])
