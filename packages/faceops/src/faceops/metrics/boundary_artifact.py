"""BoundaryArtifact: how much a pasted face stands out from its photograph along the seam."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from faceops.metrics.seam_scores import seam_scores


def _boundary_artifact_update(
    images: Float[Tensor, "b 3 h w"],
    masks: Float[Tensor, "b 1 h w"],
    references: Float[Tensor, "b 3 h w"] | None = None,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum of the scores of the images that have a seam, and how many have."""
    scores = seam_scores(images, masks, references).total
    return scores.nansum(), scores.isfinite().sum()


def _boundary_artifact_compute(total: Float[Tensor, ""], count: Int[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean score; NaN if no image has a seam."""
    return total / count


def boundary_artifact(
    images: Float[Tensor, "b 3 h w"],
    masks: Float[Tensor, "b 1 h w"],
    references: Float[Tensor, "b 3 h w"] | None = None,
) -> Float[Tensor, ""]:
    r"""Mean visibility of the seam around pasted faces: about 0 for an untouched photograph, no upper limit.

    Of every image the square root of the sum of the squares of three parts, each a difference across the contour
    beyond what the photograph has at parallel contours (`seam_scores`): texture, in factors of 1.25; colour, in units
    of 2.3 of CIELAB; edge, in factors of 1.25. The score grows with the mismatch, not with the size of the face.

    Without `references` a mask whose soft blend follows the outline of the face finds the outline: give the photograph
    before the paste, or the true one, and what it has at the same place is subtracted.

    Convention: RGB in [0, 1]; the mask is 1 where the pasted face is alone and 0 where the photograph is, and as soft
    as the blend was; one face a mask. Images are measured in float32 at the size they have. Not differentiable.

    Args:
        images: With a face pasted in.
        masks: What it was pasted with, in [0, 1].
        references: The same photographs without a paste, if there are any.

    Returns:
        Mean over the images whose mask has a contour within the image; NaN if none has.

    Raises:
        ValueError: If the tensors do not fit together.

    Example:
        >>> photo, mask = torch.full((1, 3, 96, 96), 0.5), torch.zeros(1, 1, 96, 96)
        >>> mask[:, :, 24:72, 24:72] = 1
        >>> boundary_artifact(photo, mask).item()
        0.0
        >>> bool(boundary_artifact(photo + 0.05 * mask, mask) > boundary_artifact(photo + 0.02 * mask, mask) > 0)
        True
    """
    return _boundary_artifact_compute(*_boundary_artifact_update(images, masks, references))


class BoundaryArtifact(Metric):
    r"""Mean visibility of the seam around pasted faces, as `boundary_artifact`, over everything seen.

    .. math:: B = \frac{1}{n} \sum_i \sqrt{T_i^2 + C_i^2 + E_i^2}

    with the excess of texture, colour and edge across the contour of image i.

    Shapes: images (b, 3, h, w), masks (b, 1, h, w), references as images or None; the result is a scalar.

    Example:
        >>> photo, mask = torch.full((2, 3, 96, 96), 0.5), torch.zeros(2, 1, 96, 96)
        >>> mask[:, :, 24:72, 24:72] = 1
        >>> metric = BoundaryArtifact()
        >>> metric.update(photo, mask)
        >>> metric.compute().item()
        0.0
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        masks: Float[Tensor, "b 1 h w"],
        references: Float[Tensor, "b 3 h w"] | None = None,
    ) -> None:
        """Add a batch; arguments as of `boundary_artifact`."""
        total, count = _boundary_artifact_update(images, masks, references)
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Mean over the images that have a seam; NaN if none has."""
        return _boundary_artifact_compute(self.total, self.count)
