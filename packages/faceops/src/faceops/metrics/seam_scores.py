"""BoundaryArtifact: how much a pasted face stands out from its photograph along the seam, of every image."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.metrics.contour_bands import STRIPS, ZONES, contour_bands
from faceops.metrics.seam_statistics import SeamStatistics, seam_statistics

TEXTURE_UNIT = 0.223
"""Logarithm of 1.25: detail that is a quarter more or less scores one."""

COLOUR_UNIT = 2.3
"""A colour difference of 2.3 in CIELAB, the least that is seen (Mahy, Van Eycken and Oosterlinck 1994), scores one."""

CONFIDENCE = 2.0
"""Standard errors of the photo's own variability that a difference must exceed."""

LEAST_SIDE = 8
"""Pixels that an image must have along the contour, on either side of the window."""


@dataclass(frozen=True)
class SeamScores:
    """Visibility of the seam of every image; 0 is none, NaN is a mask without a contour in the image."""

    texture: Float[Tensor, " b"]
    """Difference of sharpness and grain between inside and outside."""
    colour: Float[Tensor, " b"]
    """Difference of colour that follows the blend of the mask."""
    edge: Float[Tensor, " b"]
    """Contrast on the contour beyond that of the parallel lines beside it."""

    @property
    def total(self) -> Float[Tensor, " b"]:
        """BoundaryArtifact: root of the sum of the squares of the three."""
        return torch.stack((self.texture, self.colour, self.edge)).square().sum(dim=0).sqrt()


def seam_scores(
    images: Float[Tensor, "b 3 h w"],
    masks: Float[Tensor, "b 1 h w"],
    references: Float[Tensor, "b 3 h w"] | None = None,
) -> SeamScores:
    """Visibility of the seam around the pasted face of every image: about 0 if untouched, no upper limit.

    Three parts, each a difference across the contour beyond what the photograph has at parallel contours: texture, in
    factors of 1.25; colour, in units of 2.3 of CIELAB; edge, in factors of 1.25. They grow with the mismatch, not with
    the size of the face.

    Without `references` a mask whose soft blend follows the outline of the face finds the outline: give the photograph
    before the paste, or the true one, and what it has at the same place is subtracted.

    Convention: RGB in [0, 1]; the mask is 1 where the pasted face is alone and 0 where the photograph is, and as soft
    as the blend was; one face a mask. Images are measured in float32 at the size they have. Not differentiable.

    Args:
        images: RGB in [0, 1], with a face pasted in.
        masks: What it was pasted with, in [0, 1].
        references: The same photographs without a paste, if there are any.

    Raises:
        ValueError: If the tensors do not fit together.

    Example:
        >>> photo, mask = torch.full((1, 3, 96, 96), 0.5), torch.zeros(1, 1, 96, 96)
        >>> mask[:, :, 24:72, 24:72] = 1
        >>> seam_scores(photo, mask).total.item()
        0.0
        >>> bool(seam_scores(photo + 0.05 * mask, mask).total > seam_scores(photo + 0.02 * mask, mask).total > 0)
        True
    """
    others = (masks,) if references is None else (masks, references)
    if any(len(other) != len(images) or other.shape[2:] != images.shape[2:] for other in others):
        raise ValueError(
            f"There must be one mask, and one reference if any, for every image and of its size; got images "
            f"{tuple(images.shape)}, " + " and ".join(str(tuple(other.shape)) for other in others) + "."
        )
    rows = [
        _scores_of_one(images[i], masks[i, 0], None if references is None else references[i])
        for i in range(len(images))
    ]
    table = torch.stack(rows) if rows else images.new_zeros(0, 3, dtype=torch.float32)
    return SeamScores(*table.unbind(dim=1))


@torch.no_grad()
def _scores_of_one(image: Tensor, mask: Tensor, reference: Tensor | None) -> Float[Tensor, "3"]:
    """Texture, colour and edge of one image."""
    contour = contour_bands(mask)
    if contour is None or min(contour.distance.shape) < LEAST_SIDE:
        return torch.full((3,), torch.nan, device=image.device)
    with torch.autocast(image.device.type, enabled=False):
        statistics = seam_statistics(image, contour)
        if reference is not None:
            statistics = statistics.minus(seam_statistics(reference, contour))
        return torch.stack((_texture(statistics), _colour(statistics), _edge(statistics)))


def _texture(statistics: SeamStatistics) -> Float[Tensor, ""]:
    """The bands that touch the contour, inside against outside; beside it, neighbours of one side."""
    inside, outside = statistics.texture.unbind(dim=1)
    own = torch.cat((inside.diff(dim=1), outside.diff(dim=1)), dim=1)
    return excess(inside[:, 0] - outside[:, 0], own, TEXTURE_UNIT).norm()


def _colour(statistics: SeamStatistics) -> Float[Tensor, ""]:
    """The jump in the zone of the blend, beyond the shading that the zones at both sides of it have."""
    jump, middle = statistics.jump, ZONES // 2
    seam = jump[:, middle] - (jump[:, middle - 1] + jump[:, middle + 1]) / 2
    own = torch.stack((jump[:, middle - 1] - jump[:, 0], jump[:, middle + 1] - jump[:, -1]), dim=1)
    return excess(seam, own, COLOUR_UNIT).norm()


def _edge(statistics: SeamStatistics) -> Float[Tensor, ""]:
    """The strip on the contour against those near it; the next strips are left out, as the filter reaches them."""
    strips, middle = statistics.edge, STRIPS // 2
    near = [middle - 3, middle - 2, middle + 2, middle + 3]
    seam = strips[middle] - strips[near].nanmean(dim=0)
    own = torch.stack([strips[i] - strips[i + 2] for i in (0, 1, 2, middle + 2, middle + 3, middle + 4)])
    return excess(seam.unsqueeze(0), own.unsqueeze(0), TEXTURE_UNIT, only_more=True).squeeze(0)


def excess(
    seam: Float[Tensor, "c sectors"], own: Float[Tensor, "c k sectors"], unit: float, only_more: bool = False
) -> Float[Tensor, " c"]:
    """Difference at the seam, over all sectors, beyond that of the photograph at parallel contours.

    A sector weighs ``1 / (unit^2 + mean of own^2)``: where the photograph is even, a seam shows. From the square of
    the weighted mean of `seam`, the square of its standard error (times `CONFIDENCE`) and the largest of the same
    means of `own` are subtracted; the root of what is left is given in units.

    Args:
        seam: Difference across the contour in every sector, NaN if unknown.
        own: The same at `k` contours parallel to it.
        unit: What scores one.
        only_more: Whether a negative difference scores zero.

    Example:
        >>> wall, step = torch.zeros(1, 2, 32), torch.full((1, 32), 3.0)
        >>> round(excess(step, wall, unit=1.0).item(), 2)
        2.98
    """
    known = own.isfinite()
    variance = own.nan_to_num(0).square().sum(dim=1) / known.sum(dim=1).clamp(min=1)
    weight = torch.where(seam.isfinite() & known.any(dim=1), 1 / (variance + unit**2), 0.0)
    total = weight.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
    mean = (weight * seam.nan_to_num(0)).sum(dim=1) / total
    if only_more:
        mean = mean.clamp(min=0)
    parallel = (weight.unsqueeze(1) * own.nan_to_num(0)).sum(dim=2) / total.unsqueeze(1)
    natural = CONFIDENCE**2 / total + parallel.abs().amax(dim=1).square()
    return (mean.square() - natural).clamp(min=0).sqrt() / unit
