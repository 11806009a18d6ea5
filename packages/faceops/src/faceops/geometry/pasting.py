"""Pasting: put aligned faces back where they were cut out, with a feathered edge (the blending baseline)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.similarity import apply, compose, invert
from faceops.geometry.warping import warp_affine


def paste(
    images: Float[Tensor, "b 3 h w"],
    crops: Float[Tensor, "n 3 s s"],
    matrix: Float[Tensor, "n 2 3"],
    image_index: Int[Tensor, " n"],
    mask: Float[Tensor, "*each 1 s s"] | None = None,
) -> Float[Tensor, "b 3 h w"]:
    """Lay aligned faces over the images they are from; differentiable in images, crops and mask.

    Faces are laid one after the other, the last on top; only the part of an image that a face covers is computed.
    Colour and opacity are warped together (premultiplied), so a hard edge has no dark fringe.

    Args:
        images: RGB in [0, 1]; not changed.
        crops: Faces, such as `align` gives.
        matrix: Maps pixels of the image to pixels of the crop. For images that are s times as large as those the
            matrix is from, give ``compose(matrix, resized(1 / s))``; facexlib is half a pixel off there.
        image_index: Which image each belongs to.
        mask: Opacity of the crops, in [0, 1], one for all (1, s, s) or one for each (n, 1, s, s). None means
            `feathered_mask`.

    Raises:
        ValueError: If the numbers of crops, matrices and indices differ, or an index names no image.

    Example:
        >>> still = torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]])
        >>> out = paste(torch.zeros(1, 3, 1, 4), torch.ones(1, 3, 1, 1), still, torch.tensor([0]), torch.ones(1, 1, 1))
        >>> out[0, 0].tolist()
        [[0.0, 1.0, 0.0, 0.0]]
    """
    if not len(crops) == len(matrix) == len(image_index):
        raise ValueError(
            f"{len(crops)} crops need as many matrices and indices, got {len(matrix)}, {len(image_index)}."
        )
    if mask is None:
        mask = feathered_mask(crops.shape[-1]).to(crops)
    layers = torch.cat((crops * mask, mask.expand(len(crops), 1, -1, -1)), dim=1)
    out = images.clone()
    for face, image in enumerate(image_index.tolist()):
        if not 0 <= image < len(images):
            raise ValueError(f"`image_index` must name images 0 to {len(images) - 1}, got {image}.")
        window = covered_window(matrix[face], crops.shape[-1], images.shape[-2], images.shape[-1])
        if window is not None:
            left, top, right, bottom = window
            layer = _layer(layers[face : face + 1], matrix[face : face + 1], window)
            # a copy, because the backward pass wants what was there before
            under = out[image, :, top:bottom, left:right].clone()
            out[image, :, top:bottom, left:right] = (under * (1 - layer[0, 3:]) + layer[0, :3]).to(out.dtype)
    return out


def _layer(layer: Tensor, matrix: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """A crop with its opacity, warped to a window of the image."""
    left, top, right, bottom = window
    to_window = torch.tensor([[[1.0, 0.0, -left], [0.0, 1.0, -top]]], dtype=torch.float64, device=matrix.device)
    return warp_affine(layer, compose(to_window, invert(matrix)), (bottom - top, right - left), antialias=True)


def covered_window(
    matrix: Float[Tensor, "2 3"], size: int, height: int, width: int
) -> tuple[int, int, int, int] | None:
    """Smallest window (left, top, right, bottom) of an image that holds a crop's pixels; None if it holds none.

    Args:
        matrix: Maps pixels of the image to pixels of the crop.

    Example:
        >>> covered_window(torch.tensor([[1.0, 0.0, -3.0], [0.0, 1.0, 5.0]]), 10, 100, 8)
        (2, 0, 8, 6)
    """
    corners = torch.tensor([[-1.0, -1.0], [size, -1.0], [-1.0, size], [size, size]], dtype=torch.float64)
    placed = apply(invert(matrix.detach().double().cpu().unsqueeze(0)), corners.unsqueeze(0))[0]
    left, top = (math.floor(x) for x in placed.amin(dim=0).tolist())
    right, bottom = (math.ceil(x) + 1 for x in placed.amax(dim=0).tolist())
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def feathered_mask(size: int, margin: float = 0.05, feather: float = 0.1) -> Float[Tensor, "1 {size} {size}"]:
    """Opacity of an aligned face: one inside, nothing along the margin, half a cosine wave between.

    Args:
        size: Side in pixels.
        margin: Width of the transparent edge, as a share of the side.
        feather: Width of the transition, as a share of the side; 0 gives a hard edge.

    Raises:
        ValueError: If margin and feather leave nothing of the face.

    Example:
        >>> feathered_mask(5, margin=0.2, feather=0.0)[0].tolist()[2]
        [0.0, 1.0, 1.0, 1.0, 0.0]
    """
    if margin < 0 or feather < 0 or margin + feather > 0.5:
        raise ValueError(
            f"A mask of margin {margin} and feather {feather} is opaque nowhere; keep their sum below 0.5."
        )
    places = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    inside = torch.minimum(places, 1 - places) - margin
    ramp = (inside / feather).clamp(0, 1) if feather > 0 else (inside > 0).double()
    profile = (0.5 - 0.5 * torch.cos(math.pi * ramp)).float()
    return torch.outer(profile, profile).unsqueeze(0)
