"""Perceptual loss, L_per (HIME, Eq. 10; Johnson et al., 2016)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from portraitdata.networks.perceptual_backbones import VGG, load_backbone


def perceptual_loss(
    sr: Float[Tensor, "b 3 h w"], hr: Float[Tensor, "b 3 h w"], backbone: VGG, layers: dict[str, float]
) -> Float[Tensor, ""]:
    """Weighted sum over layers of the mean absolute difference of the features.

    The paper names neither network nor layers nor distance. The gradient flows to `sr` only. Layers that images of
    this size do not reach are left out.

    Args:
        sr: Super-resolved images, RGB in [0, 1].
        hr: True images, RGB in [0, 1].
        backbone: Network whose features are compared.
        layers: Weight of every layer, by its name.

    Raises:
        ValueError: If a layer is unknown, or the images are too small for any.
    """
    with torch.no_grad():
        wanted = backbone(hr, list(layers))
    features = backbone(sr, list(layers))
    terms = [layers[name] * (features[name] - wanted[name]).abs().mean() for name in features]
    return torch.stack(terms).sum()


class PerceptualLoss(nn.Module):
    """`perceptual_loss` with a frozen backbone, or the term switched off.

    Args:
        backbone: ``vgg19`` for torchvision's weights in the cache of torch.hub, the path of a file with a VGG-19, or
            None, with which the term is off and `available` is False.
        layers: Layers to compare, such as conv5_4 (before the rectifier) or relu5_4 (after it). None means the
            backbone's usual ones.
        weights: Weight of every layer. None means the backbone's usual ones, or 1 for layers named here.

    Raises:
        MissingBackboneError: If the file is not there.
        ValueError: If the file holds another network, a layer is unknown, or weights do not match the layers.

    Example:
        >>> PerceptualLoss(None).available
        False
    """

    def __init__(
        self,
        backbone: str | Path | None,
        layers: Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = None if backbone is None else load_backbone(backbone)
        self.layers: dict[str, float] = {}
        if self.backbone is not None:
            names = list(self.backbone.layers if layers is None else layers)
            self.backbone.check_layers(names)
            if weights is None:
                weights = list(self.backbone.layers.values()) if layers is None else [1.0] * len(names)
            if len(weights) != len(names):
                raise ValueError(f"The perceptual loss needs one weight for each of {names}, got {list(weights)}.")
            self.layers = dict(zip(names, weights, strict=True))

    @property
    def available(self) -> bool:
        """Presence of a backbone; without one the term is left out."""
        return self.backbone is not None

    def forward(self, sr: Float[Tensor, "b 3 h w"], hr: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """Compare two batches of images, RGB in [0, 1].

        Raises:
            RuntimeError: If there is no backbone.
        """
        if self.backbone is None:
            raise RuntimeError(
                "This perceptual loss was made without a backbone: leave the term out, or name a backbone."
            )
        return perceptual_loss(sr, hr, self.backbone, self.layers)
