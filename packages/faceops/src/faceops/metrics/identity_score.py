"""IdentityScore: cosine of recognition features (HeadsUp, Eq. 4)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import Metric

from faceops.metrics.embedding import embeddings, frozen
from faceops.recognition.identity import reference_similarity


def _identity_score_update(
    predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"], present: Bool[Tensor, " n"] | None = None
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum of the similarities with faces that are there, and the number of these."""
    total = reference_similarity(predicted.float(), truth.float(), present).sum()
    return total, torch.tensor(len(predicted), device=predicted.device) if present is None else present.sum()


def _identity_score_compute(total: Float[Tensor, ""], count: Int[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean; NaN without faces."""
    return total / count


def identity_score(
    predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"], present: Bool[Tensor, " n"] | None = None
) -> Float[Tensor, ""]:
    """Mean similarity of embeddings (HeadsUp, Eq. 4), in [-1, 1]; NaN if there is no face to compare.

    Args:
        predicted: Embeddings of the restored faces, of any length.
        truth: Embeddings of the true faces, or of references.
        present: Where there is a face to compare with; the others are left out of the mean.

    Example:
        >>> identity_score(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])).item()
        0.5
    """
    return _identity_score_compute(*_identity_score_update(predicted, truth, present))


class IdentityScore(Metric):
    r"""ID-Score of HeadsUp: mean similarity of restored and true faces on a recognition network R.

    .. math:: S = \frac{1}{n} \sum_i \frac{\langle R(x_i), R(y_i) \rangle}{\|R(x_i)\|_2 \|R(y_i)\|_2}

    Where the paper is silent: its checkpoint of CVLFace, so the network is an argument and scores of different
    networks must not be compared; whether a photograph with several faces counts once, here every face counts; which
    landmarks align the restored face, best those of the true photograph for both; faces that were not found, which
    are the caller's to count. A face without a counterpart has similarity zero by definition, which says nothing of a
    restoration: it is left out of the mean.

    Shapes: faces (n, 3, s, s), RGB in [0, 1], aligned as the network wants them; the result is a scalar in [-1, 1].

    Args:
        network: An identity network (`faceops.recognition.identity`), which is frozen.

    Example:
        >>> metric = IdentityScore(nn.Flatten())
        >>> face = torch.rand(2, 3, 4, 4)
        >>> metric.update(face, face / 2)
        >>> round(metric.compute().item(), 4)
        1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = frozen(network)
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        predicted: Float[Tensor, "n 3 s s"],
        truth: Float[Tensor, "n 3 s s"],
        present: Bool[Tensor, " n"] | None = None,
    ) -> None:
        """Add faces.

        Args:
            predicted: Restored faces.
            truth: The true faces, or references.
            present: Where there is a face in `truth`; by default everywhere.
        """
        total, count = _identity_score_update(
            embeddings(self.network, predicted), embeddings(self.network, truth), present
        )
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Mean over every face added; NaN without any."""
        return _identity_score_compute(self.total, self.count)
