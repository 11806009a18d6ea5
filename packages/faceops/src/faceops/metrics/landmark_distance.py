"""Distances between restored and true landmarks."""

import torch
from jaxtyping import Float
from torch import Tensor


def landmark_distances(predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"]) -> Float[Tensor, " n"]:
    r"""Mean distance of the landmarks of every face, in distances of the true eyes.

    .. math:: D = \frac{1}{k\,e} \sum_j \|p_j - t_j\|_2

    with e the distance of the true eyes.

    Convention: points are (x, y) in pixels of one image, so those of a face restored at another size must be scaled
    before; the first two are the eyes. Computed in float32.

    Args:
        predicted: Landmarks found.
        truth: Where they should be found.

    Raises:
        ValueError: If the true eyes of a face are at one place.

    Example:
        >>> truth = torch.tensor([[[0.0, 0.0], [60.0, 80.0], [50.0, 50.0]]])
        >>> round(landmark_distances(truth + torch.tensor([3.0, 4.0]), truth).item(), 4)
        0.05
    """
    # Pixels of a large photograph are more than half precision can count.
    predicted, truth = predicted.float(), truth.float()
    eyes = torch.linalg.vector_norm(truth[:, 1] - truth[:, 0], dim=1)
    if bool((eyes == 0).any()):
        raise ValueError(
            f"The eyes of every true face must be apart, got both at one place in face "
            f"{int((eyes == 0).nonzero()[0])}. Leave it out."
        )
    return torch.linalg.vector_norm(predicted - truth, dim=2).mean(dim=1) / eyes
