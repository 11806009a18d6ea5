"""IDA: angle between the recognition features of restored and true faces, in radians; and the faces DAEFR compares."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

DAEFR_LUMA_OF_RGB = (0.1140, 0.5870, 0.2989)
"""Weights of red, green, blue: DAEFR takes the channels of an OpenCV image, blue first, as if red were first."""

DAEFR_SIDE = 128
"""Side of the grey faces, in pixels."""


def angles(predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    r"""Angle between embeddings, in radians: 0 of one person at best, about pi / 2 of strangers.

    .. math:: A = \arccos \frac{\langle x, y \rangle}{\|x\|_2 \|y\|_2}

    Computed from the sum and the difference of the unit vectors: near 0 and pi the arccosine loses half of the digits,
    and rounding makes it NaN, in DAEFR's code too. Equal embeddings give exactly 0. The values of HeadsUp's Table 1
    are of the network ``arcface_resnet18.pth`` on `daefr_grey` faces.

    Example:
        >>> [round(a, 4) for a in angles(torch.eye(2), torch.tensor([[2.0, 0.0], [1.0, 1.0]])).tolist()]
        [0.0, 0.7854]
    """
    a, b = F.normalize(predicted.float(), dim=1), F.normalize(truth.float(), dim=1)
    return 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))


def daefr_grey(faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 128 128"]:
    """Faces as DAEFR's evaluation gives them to its network.

    Convention: grey by `DAEFR_LUMA_OF_RGB`, which has red and blue exchanged; reduced with bilinear interpolation,
    pixel centres at halves (align_corners False), without a low-pass; range [0, 1], no mean or deviation taken out.

    Args:
        faces: RGB in [0, 1]; DAEFR has 512 x 512 pixels and reads them from files of eight bits.

    Example:
        >>> red = torch.zeros(1, 3, 512, 512)
        >>> red[:, 0] = 1
        >>> round(daefr_grey(red)[0, 0, 0, 0].item(), 4)
        0.114
    """
    weights = torch.tensor(DAEFR_LUMA_OF_RGB, device=faces.device).reshape(3, 1, 1)
    grey = (faces.float() * weights).sum(dim=1, keepdim=True)
    return F.interpolate(grey, (DAEFR_SIDE, DAEFR_SIDE), mode="bilinear", align_corners=False)
