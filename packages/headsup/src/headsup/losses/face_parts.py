"""Loss of eyes and mouth, which carry the expression: small parts of a face, and all that people look at.

A reference of another expression must not replace the one in the picture. The distance of eyes and mouth from the
truth's, added to that of the whole face, makes such a replacement dear. Not in HeadsUp.
"""

from jaxtyping import Float
from torch import Tensor, nn

from faceops.geometry.face_parts import LEFT_EYE, MOUTH, RIGHT_EYE
from headsup.losses.faces import mean_over_faces

PARTS = (LEFT_EYE, RIGHT_EYE, MOUTH)


def face_parts(
    restored: Float[Tensor, "n 3 s s"], truth: Float[Tensor, "n 3 s s"], distance: nn.Module | None
) -> Float[Tensor, ""]:
    """Mean over faces and parts of the mean absolute error plus the perceptual distance.

    Gradients flow to the restored faces only. Computed in float32.

    Args:
        restored: Aligned faces of restored images, RGB in [0, 1].
        truth: The same faces of the true images.
        distance: Perceptual distance (`headsup.losses.lpips`); None leaves its term out.

    Example:
        >>> import torch
        >>> black, grey = torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 0.5)
        >>> face_parts(grey, black, None).item()
        0.5
    """
    restored, truth = restored.float(), truth.detach().float()
    total = restored.new_zeros(len(restored))
    for part in PARTS:
        left, top, right, bottom = (round(edge * restored.shape[-1]) for edge in part)
        own, true = restored[..., top:bottom, left:right], truth[..., top:bottom, left:right]
        total = total + (own - true).abs().mean(dim=(1, 2, 3))
        if distance is not None and len(restored):
            total = total + distance(own, true)
    return mean_over_faces(total / len(PARTS))


class FaceParts(nn.Module):
    """`face_parts` with a fixed distance.

    Args:
        distance: Perceptual; the one of the whole image will do. None leaves its term out.
    """

    def __init__(self, distance: nn.Module | None) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, restored: Float[Tensor, "n 3 s s"], truth: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
        """Compare aligned faces, RGB in [0, 1]."""
        return face_parts(restored, truth, self.distance)
