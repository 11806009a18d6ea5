"""Small copies of images with a margin around them, without ever holding an image and its margin in full size.

Around a long image a margin of its length has many times its pixels: tens of gigabytes around a panorama.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def resized_with_margin(
    images: Float[Tensor, "b c h w"], margin: tuple[int, int, int, int], size: tuple[int, int], grey: float
) -> Float[Tensor, "b c {size[0]} {size[1]}"]:
    """Resize images as `interpolate` does, bilinearly with antialiasing, after a margin is put around them.

    The longer side is padded and resized before the other: of what is held, no side but one is longer than the copy's
    and the image's shorter one.

    Args:
        images: At least one pixel high and wide; any range.
        margin: Pixels to the left, to the right, above and below, in those of the images.
        size: Height and width of the copy with its margin.
        grey: Value of the margin.

    Example:
        >>> import torch
        >>> resized_with_margin(torch.zeros(1, 1, 2, 2), (1, 1, 1, 1), (2, 2), 1.0).min() > 0
        tensor(True)
    """
    if not any(margin):
        return F.interpolate(images, size, mode="bilinear", antialias=True)
    across_first = images.shape[-1] >= images.shape[-2]
    for across in (across_first, not across_first):
        border = (*margin[:2], 0, 0) if across else (0, 0, *margin[2:])
        sides = (images.shape[-2], size[1]) if across else (size[0], images.shape[-1])
        images = F.interpolate(F.pad(images, border, value=grey), sides, mode="bilinear", antialias=True)
    return images
