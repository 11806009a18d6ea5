"""Perceptual loss, L_per (HIME, Eq. 10; Johnson et al., 2016)."""

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
    """`perceptual_loss` with a frozen backbone, at its usual layers with their weights.

    Args:
        backbone: ``vgg19`` for torchvision's weights in the cache of torch.hub, or the path of a file with a VGG-19.

    Raises:
        MissingBackboneError: If the file is not there.
        ValueError: If the file holds another network.
    """

    def __init__(self, backbone: str | Path) -> None:
        super().__init__()
        self.backbone = load_backbone(backbone)

    def forward(self, sr: Float[Tensor, "b 3 h w"], hr: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """Compare two batches of images, RGB in [0, 1]."""
        return perceptual_loss(sr, hr, self.backbone, self.backbone.layers)
