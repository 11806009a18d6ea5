"""Face fidelity loss, L_F^fid (HeadsUp, Eq. 3)."""

from jaxtyping import Float
from torch import Tensor, nn

from headsup.losses.faces import mean_over_faces
from headsup.losses.squared_error import squared_error


def face_fidelity(
    restored: Float[Tensor, "n 3 s s"],
    truth: Float[Tensor, "n 3 s s"],
    distance: nn.Module | None,
    lpips_weight: float = 0.8,
    l2_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean over faces of the mean squared error plus the weighted perceptual distance (HeadsUp, Eq. 3).

    The paper prints ``||x - y||_2``, a norm that grows with the size of the crops. Its other L2 term is the mean
    squared error of OSEDiff, which it says it derives its losses from, of pixels in [-1, 1]; so is this one, see
    `headsup.losses.squared_error`. Gradients flow to the restored faces only. Computed in float32.

    Args:
        restored: Aligned faces of restored images, RGB in [0, 1].
        truth: The same faces of the true images.
        distance: LPIPS (`headsup.losses.lpips`); None leaves its term out.
        lpips_weight: lambda_LPIPS, 0.8 in the paper.
        l2_weight: Weight of the squared error; the paper has none.

    Example:
        >>> import torch
        >>> black, grey = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
        >>> face_fidelity(grey, black, None).item()
        1.0
    """
    restored, truth = restored.float(), truth.detach().float()
    loss = l2_weight * squared_error(restored, truth)
    if distance is not None and lpips_weight > 0 and len(restored):
        loss = loss + lpips_weight * distance(restored, truth)
    return mean_over_faces(loss)


class FaceFidelity(nn.Module):
    """`face_fidelity` with a fixed distance and weights.

    Args:
        distance: LPIPS; the one of the whole image will do. None leaves its term out.
        lpips_weight: lambda_LPIPS, 0.8 in the paper.
        l2_weight: Weight of the squared error; the paper has none.
    """

    def __init__(self, distance: nn.Module | None, lpips_weight: float = 0.8, l2_weight: float = 1.0) -> None:
        super().__init__()
        self.distance = distance
        self.lpips_weight, self.l2_weight = lpips_weight, l2_weight

    def forward(self, restored: Float[Tensor, "n 3 s s"], truth: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
        """Compare aligned faces, RGB in [0, 1]."""
        return face_fidelity(restored, truth, self.distance, self.lpips_weight, self.l2_weight)
