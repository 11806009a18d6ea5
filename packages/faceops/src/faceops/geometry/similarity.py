"""Similarity transforms of the plane: estimated from landmarks, inverted, composed and applied.

Convention: a matrix (2, 3) maps a pixel (x, y) of the source image to one of the output, pixel centres at integers, as
the matrix that `cv2.estimateAffinePartial2D` returns and `cv2.warpAffine` takes. Everything is computed in float64 and
returned in the type of the arguments.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def least_squares_similarity(source: Float[Tensor, "b n 2"], target: Float[Tensor, "*c n 2"]) -> Float[Tensor, "b 2 3"]:
    """Rotation, scale and shift that bring points closest to others, by least squares; differentiable in both.

    With points as complex numbers it is one regression, t = m s + c: m is the sum of conj(s) t over the sum of |s|^2,
    both about their means. It equals Umeyama (1991), Eq. 40-42, without the reflections that are no use for faces.

    Args:
        source: Points of each face, (x, y).
        target: Where they should go, for all faces alike (n, 2) or for each (b, n, 2).

    Raises:
        ValueError: If the points of a face coincide or are not finite: they say nothing about rotation and scale.

    Example:
        >>> eyes = torch.tensor([[[1.0, 1.0], [3.0, 1.0]]])
        >>> least_squares_similarity(eyes, torch.tensor([[0.0, 0.0], [0.0, 4.0]])).tolist()
        [[[0.0, -2.0, 2.0], [2.0, 0.0, -2.0]]]
    """
    dtype = torch.promote_types(source.dtype, target.dtype)
    source, target = source.double(), target.to(source.device, torch.float64).expand_as(source)
    s_mean, t_mean = source.mean(dim=1, keepdim=True), target.mean(dim=1, keepdim=True)
    s, t = source - s_mean, target - t_mean
    spread = s.square().sum(dim=(1, 2))
    _check_spread(source, spread)
    cosine = (s * t).sum(dim=(1, 2)) / spread
    sine = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(dim=1) / spread
    linear = torch.stack((cosine, -sine, sine, cosine), dim=-1).unflatten(-1, (2, 2))
    shift = t_mean.mT - linear @ s_mean.mT
    # no negative zero, which would be printed
    return torch.cat((linear, shift), dim=-1).add(0.0).to(dtype)


def _check_spread(source: Tensor, spread: Tensor) -> None:
    good = spread.detach() > 1e-12
    if not bool(good.all()):
        face = int((~good).nonzero()[0])
        raise ValueError(
            f"The landmarks of a face must be different, finite points; those of face {face} are "
            f"{source[face].tolist()}."
        )


def lmeds_similarity(source: Float[Tensor, "b n 2"], target: Float[Tensor, "*c n 2"]) -> Float[Tensor, "b 2 3"]:
    """The same by least median of squares, which leaves out a landmark that does not fit; OpenCV's, as HeadsUp's B.

    Deterministic (OpenCV seeds it itself), not differentiable. It equals least squares for most faces; where it drops
    a point, the corners of the crop move by some pixels.

    Args:
        source: Points of each face, (x, y).
        target: Where they should go, for all faces alike (n, 2) or for each (b, n, 2).

    Raises:
        ValueError: If OpenCV finds no transform for a face, or its points are not finite.

    Example:
        >>> points = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]])
        >>> lmeds_similarity(points, points[0] + 3).round().add(0.0).tolist()
        [[[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]]]
    """
    dtype = torch.promote_types(source.dtype, target.dtype)
    device = source.device
    # OpenCV computes in float32 and takes no smaller floats; it would leave out a point that is not finite
    source, target = source.detach().cpu().float(), target.detach().cpu().float().expand_as(source)
    out = torch.empty(len(source), 2, 3, dtype=torch.float64)
    for face, (points, wanted) in enumerate(zip(source.numpy(), target.numpy(), strict=True)):
        if not np.isfinite(points).all():
            raise ValueError(f"The landmarks of a face must be finite; those of face {face} are {points.tolist()}.")
        matrix = cv2.estimateAffinePartial2D(points, wanted, method=cv2.LMEDS)[0]
        if matrix is None:
            raise ValueError(
                f"OpenCV finds no similarity transform for face {face} with the landmarks {points.tolist()}."
            )
        out[face] = torch.from_numpy(matrix)
    return out.add(0.0).to(device, dtype)


def apply(matrix: Float[Tensor, "b 2 3"], points: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 2"]:
    """Map points (x, y).

    Example:
        >>> apply(torch.tensor([[[2.0, 0.0, 1.0], [0.0, 2.0, 0.0]]]), torch.tensor([[[3.0, 4.0]]])).tolist()
        [[[7.0, 8.0]]]
    """
    mapped = points.double() @ matrix[..., :2].double().mT + matrix[..., 2].double().unsqueeze(-2)
    return mapped.to(torch.promote_types(matrix.dtype, points.dtype))


def invert(matrix: Float[Tensor, "b 2 3"]) -> Float[Tensor, "b 2 3"]:
    """The way back: maps pixels of the output to pixels of the source.

    Example:
        >>> invert(torch.tensor([[[2.0, 0.0, 1.0], [0.0, 2.0, 0.0]]])).tolist()
        [[[0.5, 0.0, -0.5], [0.0, 0.5, 0.0]]]
    """
    linear = torch.linalg.inv(matrix[..., :2].double())
    shift = -linear @ matrix[..., 2:].double()
    return torch.cat((linear, shift), dim=-1).add(0.0).to(matrix.dtype)


def compose(second: Float[Tensor, "#b 2 3"], first: Float[Tensor, "#b 2 3"]) -> Float[Tensor, "_ 2 3"]:
    """`first`, then `second`.

    Example:
        >>> double = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
        >>> right = torch.tensor([[[1.0, 0.0, 5.0], [0.0, 1.0, 0.0]]])
        >>> compose(double, right)[0, 0].tolist(), compose(right, double)[0, 0].tolist()
        ([2.0, 0.0, 10.0], [2.0, 0.0, 5.0])
    """
    outer, inner = second.double(), first.double()
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return torch.cat((linear, shift), dim=-1).to(torch.promote_types(second.dtype, first.dtype))


def resized(factor: float, device: torch.device | str = "cpu") -> Float[Tensor, "1 2 3"]:
    """Matrix of an image resized by a factor, in float64: (x + 0.5) * factor - 0.5, so that the corners coincide.

    ``compose(matrix, resized(1 / 4))`` aligns an image four times as large as the one that `matrix` was estimated on,
    ``compose(resized(2), matrix)`` gives a crop twice as large.

    Raises:
        ValueError: If the factor is not positive.

    Example:
        >>> resized(2.0).tolist()
        [[[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]]
    """
    if not factor > 0:
        raise ValueError(f"An image can be resized by a positive factor only, got {factor}.")
    shift = (factor - 1) / 2
    rows = [[[factor, 0.0, shift], [0.0, factor, shift]]]
    return torch.tensor(rows, dtype=torch.float64, device=device)


def scale_of(matrix: Float[Tensor, "b 2 3"]) -> Float[Tensor, " b"]:
    """Magnification: how many output pixels one source pixel becomes, along a side.

    Example:
        >>> scale_of(torch.tensor([[[0.0, -2.0, 1.0], [2.0, 0.0, 0.0]]])).tolist()
        [2.0]
    """
    return torch.linalg.det(matrix[..., :2].double()).abs().sqrt().to(matrix.dtype)
