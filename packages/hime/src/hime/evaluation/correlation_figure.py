"""Picture of what the correlation loss sees (HIME, Section 4, Figure 6)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from hime.command_options import CorrelationMapOptions
from hime.losses.correlation import correlation_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISE = 4 / 255
"""Distance from the mean colour, in units of the image, below which a colour has no direction that counts."""

LONGEST_SIDE = 256
"""Pixels of the longest side of the image that is drawn; Figure 6 has 128."""


def smoothness_map(image: Float[Tensor, "3 h w"], window: int, dilation: int = 1) -> Float[Tensor, "h w"]:
    """Mean correlation coefficient of every pixel with its neighbours: 1 where the image is smooth, lower in texture.

    The paper does not say how the k * k values of a pixel became one colour in Figure 6, but what is to be seen:
    texture in blue "regardless of the color difference", smooth regions in red, the brightest and the darkest among
    them. The mean of the map (Eq. 8) does not show that, it grows with the distance from the mean colour. So every
    value is divided by the length of both pixels, ``cor(i, j, p) / sqrt(cor(0, 0, p) cor(0, 0, p - (i, j)))``, and
    the mean is taken over the neighbours inside the image. A constant fourth channel of 4/255 keeps the noise of
    regions near the mean colour from counting as texture.

    Args:
        window: k, side of the window in samples; odd.
        dilation: d, distance of the samples in pixels.

    Returns:
        Values in [-1, 1].

    Raises:
        ValueError: If the window is even or smaller than one, or the dilation smaller than one.

    Example:
        >>> smoothness_map(torch.full((3, 2, 2), 0.5), window=3).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    height, width = image.shape[-2:]
    products = correlation_map(image[None], window, dilation)[0] * window**2 + NOISE**2
    energy = products[window**2 // 2]
    both = torch.stack((energy, torch.ones_like(energy))).unsqueeze(1)
    reach = dilation * (window // 2)
    neighbours = F.unfold(both, window, dilation=dilation, padding=reach).flip(1)  # unfold lists p + (i, j)
    neighbour_energy, inside = neighbours.reshape(2, -1, height, width)
    coefficient = products * inside / (energy * neighbour_energy).clamp(min=NOISE**4).sqrt()
    return coefficient.sum(dim=0) / inside.sum(dim=0)


def correlation_figure(image: Float[Tensor, "3 h w"], windows: Sequence[int], dilation: int = 1) -> "Figure":
    """Draw the image beside its `smoothness_map` for every window, blue for texture and red for smooth regions.

    Smoothness is drawn as the angle whose cosine it is: the coefficients of all but the strongest edges are close to
    1, their angles spread. Every map has its own colour bar, in degrees, which leaves out the lowest and the highest
    two per cent.

    Args:
        windows: Sides of the windows in samples, odd.
        dilation: Distance of the samples in pixels.

    Raises:
        ValueError: If there is no window, or one does not fit `correlation_map`.
    """
    from matplotlib.figure import Figure

    if not windows:
        raise ValueError("A correlation figure needs at least one window, got none.")
    height, width = image.shape[-2:]
    panel = 3.0
    figure = Figure(figsize=(panel * (1 + 1.15 * len(windows)), panel * height / width + 0.4), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(windows), squeeze=False)[0]
    first.imshow(image.clamp(0, 1).movedim(0, -1).numpy())
    first.set_title(f"{width} x {height} pixels")
    first.set_axis_off()
    for axes, window in zip(others, windows, strict=True):
        angle = smoothness_map(image, window, dilation).clamp(-1, 1).acos().rad2deg()
        low, high = torch.quantile(angle.flatten(), torch.tensor([0.02, 0.98])).tolist()
        drawn = axes.imshow(angle.numpy(), cmap="turbo_r", vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(f"k = {window}" if dilation == 1 else f"k = {window}, d = {dilation}")
        axes.set_axis_off()
        figure.colorbar(drawn, ax=axes, fraction=0.046)
    return figure


FORMATS = ".png", ".pdf", ".svg", ".jpg", ".webp"
"""Suffixes of figures."""


def figure_path(options: CorrelationMapOptions) -> Path:
    """File of the figure: as it is named, or beside the image.

    Example:
        >>> figure_path(CorrelationMapOptions(Path("album/a.jpg"))).as_posix()
        'album/a_correlation.png'
    """
    return options.output or options.image.with_name(f"{options.image.stem}_correlation.png")


def draw_correlation_map(options: CorrelationMapOptions) -> Path:
    """Read an image, draw its `correlation_figure` and save it.

    An image with a side over 256 pixels is reduced to that first; texture is a matter of the resolution.

    Returns:
        The file; its suffix (.png, .pdf, .svg, .jpg, .webp) is the format.

    Raises:
        FileNotFoundError: If the folder of the figure does not exist.
        FileExistsError: If the file exists and must not be overwritten.
        ImageFileError: If the image is missing or cannot be read.
        ValueError: If a window, the dilation or the suffix does not fit, or the output is the image.
    """
    from faceops.atomic_files import replacing
    from faceops.images.files import load_picture
    from portraitdata.images.resampling import bicubic

    image, output = options.image, figure_path(options)
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"A figure must end in one of {', '.join(FORMATS)}, got {output.name}.")
    if output.resolve() == image.resolve():
        raise ValueError(f"{output} is the image itself and would be replaced; name another file.")
    if output.exists() and not options.overwrite:
        raise FileExistsError(f"{output} exists already; give --overwrite to replace it, or name another.")
    pixels = load_picture(image).pixels
    height, width = pixels.shape[-2:]
    shrink = LONGEST_SIDE / max(height, width)
    if shrink < 1:
        pixels = bicubic(pixels, max(1, round(height * shrink)), max(1, round(width * shrink))).clamp(0, 1)
    figure = correlation_figure(pixels, options.window, options.dilation)
    with replacing(output) as temporary:
        figure.savefig(temporary, dpi=120)
    return output
