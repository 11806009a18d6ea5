"""LandmarkDistance: how far landmarks are from where they should be."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

Unit = Literal["eye distance", "pixels"]


def landmark_distances(
    predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"], unit: Unit = "eye distance"
) -> Float[Tensor, " n"]:
    """Mean distance of the landmarks of every face, in pixels or in distances of the true eyes.

    Convention: points are (x, y) in pixels of one image; the first two are the eyes.

    Args:
        predicted: Landmarks found.
        truth: Where they should be found.
        unit: Of the result.

    Raises:
        ValueError: If the true eyes of a face are at one place and the unit is their distance, or the unit is unknown.

    Example:
        >>> truth = torch.tensor([[[0.0, 0.0], [60.0, 80.0], [50.0, 50.0]]])
        >>> predicted = truth + torch.tensor([3.0, 4.0])
        >>> round(landmark_distances(predicted, truth).item(), 4), landmark_distances(predicted, truth, "pixels").item()
        (0.05, 5.0)
    """
    if unit not in get_args(Unit):
        raise ValueError(f"The unit must be one of {', '.join(get_args(Unit))}, got {unit!r}.")
    # Pixels of a large photograph are more than half precision can count.
    predicted, truth = predicted.float(), truth.float()
    distances = torch.linalg.vector_norm(predicted - truth, dim=2).mean(dim=1)
    if unit == "pixels":
        return distances
    eyes = torch.linalg.vector_norm(truth[:, 1] - truth[:, 0], dim=1)
    if bool((eyes == 0).any()):
        raise ValueError(
            f"The eyes of every true face must be apart, got both at one place in face "
            f"{int((eyes == 0).nonzero()[0])}. Leave it out, or measure in pixels."
        )
    return distances / eyes


def _landmark_distance_update(
    predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"], unit: Unit = "eye distance"
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum of the faces' distances and the number of faces."""
    return landmark_distances(predicted, truth, unit).sum(), torch.tensor(len(predicted), device=predicted.device)


def _landmark_distance_compute(total: Float[Tensor, ""], count: Int[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean; NaN without faces."""
    return total / count


def landmark_distance(
    predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"], unit: Unit = "eye distance"
) -> Float[Tensor, ""]:
    """Mean over the faces of `landmark_distances`; NaN without faces.

    Example:
        >>> truth = torch.tensor([[[0.0, 0.0], [10.0, 0.0]], [[0.0, 0.0], [20.0, 0.0]]])
        >>> landmark_distance(truth + torch.tensor([0.0, 5.0]), truth).item()
        0.375
    """
    return _landmark_distance_compute(*_landmark_distance_update(predicted, truth, unit))


class LandmarkDistance(Metric):
    r"""Mean landmark error, by the distance of the true eyes or in pixels.

    .. math:: D = \frac{1}{n} \sum_i \frac{1}{k\,e_i} \sum_j \|p_{ij} - t_{ij}\|_2

    with e the distance of the true eyes of face i, or 1 in pixels. Both sets of landmarks are in pixels of one image:
    those of a face restored at another size must be scaled before.

    Shapes: landmarks (n, k, 2), the eyes first; the result is a scalar.

    Args:
        unit: Of the result.

    Example:
        >>> truth = torch.tensor([[[0.0, 0.0], [10.0, 0.0]]])
        >>> metric = LandmarkDistance(unit="pixels")
        >>> metric.update(truth + torch.tensor([0.0, 5.0]), truth)
        >>> metric.compute().item()
        5.0
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, unit: Unit = "eye distance") -> None:
        super().__init__()
        if unit not in get_args(Unit):
            raise ValueError(f"The unit must be one of {', '.join(get_args(Unit))}, got {unit!r}.")
        self.unit = unit
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"]) -> None:
        """Add the landmarks of restored faces and those of the true ones."""
        total, count = _landmark_distance_update(predicted, truth, self.unit)
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Mean over every face added; NaN without any."""
        return _landmark_distance_compute(self.total, self.count)
