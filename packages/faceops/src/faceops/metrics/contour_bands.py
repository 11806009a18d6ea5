"""Bands of pixels that run parallel to the contour of a mask, cut into sectors."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

SECTORS = 32
"""Directions, as seen from the centre of the mask, in which inside and outside are compared separately."""

BAND = 0.03
"""Width of a band, as a part of the side of a square as large as the mask."""

LEAST_BAND = 4.0
"""Least width of a band, in pixels."""

MIXED = 0.3
"""Bands of texture begin where a soft mask has come this near to 0 and 1: nearer bands differ less by themselves."""

BLENDED = 0.2
"""The zone of the blend ends where a soft mask has come this near to 0 and 1."""

BANDS = 3
"""Bands on either side of the contour."""

ZONES = 5
"""Zones as wide as the blend, side by side, the middle one on the contour."""

STRIPS = 13
"""Strips of two pixels, side by side, the middle one on the contour."""


@dataclass(frozen=True)
class ContourBands:
    """The part of an image along a contour, and where its pixels belong.

    Convention: a label is ``number * SECTORS + sector``, or -1 for none. Zones and strips are numbered from the
    outside to the inside; bands from the contour outwards within each side, the `BANDS` of the inside first.
    """

    rows: slice
    columns: slice
    """Window of the image that holds everything labelled."""
    distance: Float[Tensor, "h w"]
    """From the contour, in pixels, positive inside; of the window, as are the labels."""
    bands: Int[Tensor, "h w"]
    """Labels of bands on both sides of the blend; those of one side lie as far apart as the two nearest to it."""
    zones: Int[Tensor, "h w"]
    strips: Int[Tensor, "h w"]
    band_width: float
    """In pixels."""
    zone_width: float
    """In pixels; of a hard mask 3, so that a filter of three pixels keeps the step within the zone."""
    arc: float
    """About how long a sector of the contour is, in pixels."""


def signed_distance(mask: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Distance of every pixel from the contour of ``mask > 0.5``, in pixels, positive inside; on the CPU.

    The contour runs between the pixels. The border of the image is no contour: what it cuts off is not known.

    Example:
        >>> signed_distance(torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
        [[-1.5, -0.5, 0.5, 1.5]]
    """
    inside = (mask > 0.5).cpu().numpy().astype(np.uint8)
    # OpenCV gives the distance from the nearest pixel of the other side; the contour is half a pixel nearer.
    within, without = (cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for part in (inside, 1 - inside))
    return torch.from_numpy(np.where(inside > 0, within - 0.5, 0.5 - without)).float()


def contour_bands(mask: Float[Tensor, "h w"]) -> ContourBands | None:
    """Bands, zones and strips along the contour of a mask; None if it has no contour within the image."""
    mask = mask.detach().float().cpu()
    count = int((mask > 0.5).sum())
    if not 0 < count < mask.numel():
        return None
    side, blend = math.sqrt(count), _window(mask > min(MIXED, BLENDED), 1)
    soft = mask[blend]
    near = signed_distance(soft)
    band_width, zone_width = max(LEAST_BAND, BAND * side), max(3.0, 2 * _half_blend(soft, near, BLENDED))
    # One pixel more than the blend, so that no filter of three pixels mixes both sides where the mask is hard.
    gap = _half_blend(soft, near, MIXED) + 1
    period = band_width + 2 * gap
    # The filters see a few pixels more than those that are labelled.
    reach = max(gap + (BANDS - 1) * period + band_width, ZONES / 2 * zone_width, float(STRIPS)) + 4
    # A distance is that from a pixel beside the contour, so those of a window around the mask are those of the image.
    around = _window(mask > 0.5, math.ceil(reach) + 1)
    distance = signed_distance(mask[around])
    rows, columns = (_span((distance.abs() < reach).any(dim=1 - axis)) for axis in (0, 1))
    sector = _sectors(distance > 0, rows, columns)
    distance = distance[rows, columns]
    from_gap = distance.abs() - gap
    order = (from_gap / period).floor()
    in_band = (order >= 0) & (order < BANDS) & (from_gap - order * period < band_width)
    band = order.long() + torch.where(distance > 0, 0, BANDS)
    zone, strip = ((distance / width + count / 2).floor() for width, count in ((zone_width, ZONES), (2.0, STRIPS)))
    return ContourBands(
        _shifted(rows, around[0]),
        _shifted(columns, around[1]),
        distance,
        torch.where(in_band, band * SECTORS + sector, -1),
        torch.where((zone >= 0) & (zone < ZONES), zone.long() * SECTORS + sector, -1),
        torch.where((strip >= 0) & (strip < STRIPS), strip.long() * SECTORS + sector, -1),
        band_width,
        zone_width,
        arc=4 * side / SECTORS,
    )


def _half_blend(mask: Tensor, distance: Tensor, nearness: float) -> float:
    """Distance from the contour, in pixels, up to which the mask is farther than `nearness` from both 0 and 1."""
    blended = distance[(mask > nearness) & (mask < 1 - nearness)].abs()
    return float(blended.max()) if len(blended) else 0.0


def _window(mask: Tensor, margin: int) -> tuple[slice, slice]:
    """Rows and columns of an image that hold all of a mask, and so many more on every side as there are."""
    spans = (_span(mask.any(dim=1 - axis)) for axis in (0, 1))
    rows, columns = (slice(max(span.start - margin, 0), span.stop + margin) for span in spans)
    return rows, columns


def _shifted(part: slice, window: slice) -> slice:
    """Lines of an image that are a part of a window of it."""
    return slice(window.start + part.start, window.start + part.stop)


def _span(any_of_line: Tensor) -> slice:
    """From the first to the last line that has something."""
    lines = any_of_line.nonzero()
    return slice(int(lines[0]), int(lines[-1]) + 1)


def _sectors(inside: Tensor, rows: slice, columns: slice) -> Tensor:
    """Number of the direction of every pixel of the window from the centre of the mask."""
    y, x = (torch.arange(size, dtype=torch.float32) for size in inside.shape)
    total = inside.sum()
    cy, cx = (inside.sum(1) * y).sum() / total, (inside.sum(0) * x).sum() / total
    angle = torch.atan2((y[rows] - cy).unsqueeze(1), (x[columns] - cx).unsqueeze(0))
    return ((angle / (2 * math.pi) + 0.5) * SECTORS).long().clamp(0, SECTORS - 1)


def cell_means(
    maps: Float[Tensor, "c h w"], labels: Int[Tensor, "h w"], count: int, least_pixels: float
) -> Float[Tensor, "c count sectors"]:
    """Mean of every map in every sector of `count` bands; NaN where there are fewer pixels than `least_pixels`.

    Example:
        >>> labels = torch.tensor([[0, 0, SECTORS + 1, -1]])
        >>> means = cell_means(torch.tensor([[[1.0, 2.0, 5.0, 7.0]]]), labels, count=2, least_pixels=1.0)
        >>> means[0, 0, 0].item(), means[0, 1, 1].item(), means[0, 1, 0].item()
        (1.5, 5.0, nan)
    """
    flat = labels.flatten()
    chosen = (flat >= 0).nonzero().squeeze(1)
    index, values = flat[chosen].to(maps.device), maps.flatten(1)[:, chosen.to(maps.device)]
    pixels = torch.bincount(index, minlength=count * SECTORS)
    total = torch.zeros(len(maps), count * SECTORS, dtype=maps.dtype, device=maps.device).index_add_(1, index, values)
    means = torch.where(pixels >= max(least_pixels, 1.0), total / pixels.clamp(min=1), torch.nan)
    return means.unflatten(1, (count, SECTORS))
