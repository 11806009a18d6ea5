"""IDA: angle between the recognition features of restored and true faces, in radians; clean, and as DAEFR has it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics import Metric

from faceops.metrics.embedding import embeddings, frozen

DAEFR_LUMA_OF_RGB = (0.1140, 0.5870, 0.2989)
"""Weights of red, green, blue: DAEFR takes the channels of an OpenCV image, blue first, as if red were first."""

DAEFR_SIDE = 128
"""Side of the grey faces, in pixels."""


def angles(predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Angle between embeddings, in radians: 0 of one person at best, about pi / 2 of strangers.

    The arccosine of the cosine, computed from the sum and the difference of the unit vectors: near 0 and pi the
    arccosine loses half of the digits, and rounding makes it NaN. Equal embeddings give exactly 0.

    Example:
        >>> [round(a, 4) for a in angles(torch.eye(2), torch.tensor([[2.0, 0.0], [1.0, 1.0]])).tolist()]
        [0.0, 0.7854]
    """
    a, b = F.normalize(predicted.float(), dim=1), F.normalize(truth.float(), dim=1)
    return 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))


def _ida_update(
    predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum of the angles and their number."""
    return angles(predicted, truth).sum(), torch.tensor(len(predicted), device=predicted.device)


def _ida_compute(total: Float[Tensor, ""], count: Int[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean; NaN without faces."""
    return total / count


def ida(predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Mean angle between embeddings, in radians; NaN without faces.

    Example:
        >>> round(ida(torch.eye(2), torch.tensor([[2.0, 0.0], [1.0, 1.0]])).item(), 4)
        0.3927
    """
    return _ida_compute(*_ida_update(predicted, truth))


class IDA(Metric):
    r"""Mean angle between restored and true faces on a recognition network R, in radians.

    .. math:: A = \frac{1}{n} \sum_i \arccos \frac{\langle R(x_i), R(y_i) \rangle}{\|R(x_i)\|_2 \|R(y_i)\|_2}

    The values of HeadsUp's Table 1 are radians too, but of another network and by other rules: `IdaDaefr`.

    Shapes: faces (n, 3, s, s), RGB in [0, 1], aligned as the network wants them; the result is a scalar in [0, pi].

    Args:
        network: An identity network (`faceops.recognition.identity`), which is frozen.

    Example:
        >>> metric = IDA(nn.Flatten())
        >>> face = torch.ones(1, 3, 4, 4)
        >>> metric.update(face, -face)
        >>> round(metric.compute().item(), 4)
        3.1416
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = frozen(network)
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Float[Tensor, "n 3 s s"], truth: Float[Tensor, "n 3 s s"]) -> None:
        """Add restored faces and the true ones."""
        total, count = _ida_update(embeddings(self.network, predicted), embeddings(self.network, truth))
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Mean over every face added, in radians; NaN without any."""
        return _ida_compute(self.total, self.count)


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


def _ida_daefr_update(
    predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"], missing: int = 0
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum of the angles, and the number of true faces."""
    if missing < 0:
        raise ValueError(f"The number of true faces without a restored one must be at least 0, got {missing}.")
    total, count = _ida_update(predicted, truth)
    return total, count + missing


def ida_daefr(predicted: Float[Tensor, "n d"], truth: Float[Tensor, "n d"], missing: int = 0) -> Float[Tensor, ""]:
    """IDA by DAEFR's rules, of features of its network: the sum of the angles by the number of true faces, in radians.

    Args:
        predicted: Features of `daefr_grey` faces.
        truth: Those of the true faces that have a restored one.
        missing: Number of true faces that have none. They lower the value, as if they were restored perfectly.

    Raises:
        ValueError: If `missing` is negative.

    Example:
        >>> right_angle = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> round(ida_daefr(*right_angle).item(), 4), round(ida_daefr(*right_angle, missing=1).item(), 4)
        (1.5708, 0.7854)
    """
    return _ida_compute(*_ida_daefr_update(predicted, truth, missing))


class IdaDaefr(Metric):
    r"""IDA as the tables of DAEFR and HeadsUp have it, in radians, with the quirks that make it comparable.

    .. math:: A = \frac{1}{n + m} \sum_{i=1}^{n} \arccos \cos(R(g(x_i)), R(g(y_i)))

    with g `daefr_grey` and m the number of true faces without a restored one. R must be the grey ArcFace ResNet-18 that
    DAEFR uses (``arcface_resnet18.pth``) for the value to be comparable. One thing differs: two
    equal faces give 0, where rounding makes DAEFR's arccosine NaN at times.

    Shapes: faces (n, 3, h, w), RGB in [0, 1], FFHQ-aligned at 512 pixels; the result is a scalar in [0, pi].

    Args:
        network: Makes features (n, d) of grey faces (n, 1, 128, 128) in [0, 1]; it is frozen. With the weights at hand,
            ``build_identity("arcface_resnet18.pth").network``: the bare network, without what it was trained to see.

    Example:
        >>> metric = IdaDaefr(nn.Flatten())
        >>> metric.update(torch.ones(1, 3, 512, 512), torch.ones(1, 3, 512, 512), missing=1)
        >>> metric.compute().item()
        0.0
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = frozen(network)
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Float[Tensor, "n 3 h w"], truth: Float[Tensor, "n 3 h w"], missing: int = 0) -> None:
        """Add restored faces and the true ones, and the number of true ones that have no restored one."""
        ours, theirs = (embeddings(self.network, daefr_grey(faces)) for faces in (predicted, truth))
        total, count = _ida_daefr_update(ours, theirs, missing)
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Sum of the angles by the number of true faces, in radians; NaN without any."""
        return _ida_compute(self.total, self.count)
