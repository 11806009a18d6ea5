"""LPIPS, the learned perceptual distance of two images (Zhang et al., 2018), as a loss (HeadsUp, Eq. 2-3).

The packages lpips and torchmetrics cannot carry it: they compare features of torchvision's networks alone, which they
keep as parameters that a checkpoint would hold, and where all features are zero the gradient of lpips is no number. The
calibrated weights are theirs.
"""

from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from portraitdata.networks.perceptual_backbones import load_backbone
from portraitdata.networks.safe_loading import load_safely

DARK = 1e-8
"""Added to the squared length of a feature vector: where all features are zero, the gradient stays finite.

The original adds 1e-10 to the length, whose gradient at zero is no number.
"""

LPIPS_CHANNELS = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}
"""Channels of the layers of torchvision's VGG-16 that LPIPS compares, behind the rectifier."""


def layer_distance(
    features: Float[Tensor, "b c h w"], targets: Float[Tensor, "b c h w"], weights: Float[Tensor, " c"]
) -> Float[Tensor, " b"]:
    """Squared difference of unit vectors, weighted over channels and averaged over space (Zhang et al., Eq. 1).

    Example:
        >>> a, b = torch.tensor([[3.0, 0.0], [0.0, 5.0]]).reshape(2, 1, 2, 1, 1)
        >>> layer_distance(a, b, torch.tensor([1.0, 0.5])).item()
        1.5
    """
    difference = unit_vectors(features) - unit_vectors(targets)
    return (weights.reshape(-1, 1, 1) * difference.square()).sum(dim=1).mean(dim=(1, 2))


def unit_vectors(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Features of every place, scaled to length one."""
    return features * (features.square().sum(dim=1, keepdim=True) + DARK).rsqrt()


class PerceptualDistance(nn.Module):
    """LPIPS on VGG-16, or a stand-in for it: `layer_distance` summed over the layers of a frozen network.

    The calibrated weights of version 0.1 are those that the package ``lpips`` carries; they fit torchvision's VGG-16
    alone. With another VGG, such as the slim one of Collaborative Distillation, a sixteenth of VGG-19 in size, all
    channels count the same and the mean is taken over the layers. That is not LPIPS: `calibrated` is False, and its
    values, from 0 to 2, must not be compared with those of others. Nothing of it is trained, or in a checkpoint, and
    everything is computed in float32 outside autocast, unless it is told not to be precise.

    Args:
        backbone: ``vgg16`` for torchvision's weights in the cache of torch.hub; or the path of a file with
            torchvision's VGG-16, which makes it LPIPS, or with another VGG, which makes it the stand-in.
        precise: Compute the features in float32 also under autocast.

    Raises:
        MissingBackboneError: If the file is not there.
        ValueError: If the file holds another network.
    """

    def __init__(self, backbone: str | Path = "vgg16", precise: bool = True) -> None:
        super().__init__()
        self.backbone = load_backbone(backbone)
        self.backbone.precise = precise
        self.layers = tuple(layer.replace("conv", "relu") for layer in self.backbone.layers)
        channels = {layer: self.backbone.channels(layer) for layer in self.layers}
        self.calibrated = channels == LPIPS_CHANNELS
        weights = calibrated_weights() if self.calibrated else equal_weights(channels)
        for layer, weight in weights.items():
            self.register_buffer(f"{layer}_weight", weight, persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"], targets: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """Distance of each pair of images, RGB in [0, 1]; gradients flow to the first.

        Layers that images of this size do not reach are left out.

        Raises:
            ValueError: If the images are too small for any layer.
        """
        with torch.no_grad():
            wanted = self.backbone(targets, self.layers)
        features = self.backbone(images, self.layers)
        parts = [
            layer_distance(features[layer].float(), wanted[layer].float(), self.get_buffer(f"{layer}_weight"))
            for layer in features
        ]
        return torch.stack(parts).sum(dim=0)


def calibrated_weights() -> dict[str, Float[Tensor, " _"]]:
    """Weights of LPIPS 0.1 for the channels of VGG-16, from the files of the package ``lpips``."""
    # by its path, as importing the package would load scipy and torchvision
    path = Path(str(distribution("lpips").locate_file("lpips/weights/v0.1/vgg.pth")))
    tensors = load_safely(path)
    return {layer: tensors[f"lin{index}.model.1.weight"].flatten() for index, layer in enumerate(LPIPS_CHANNELS)}


def equal_weights(channels: Mapping[str, int]) -> dict[str, Float[Tensor, " _"]]:
    """One over the number of layers, for every channel of theirs.

    Example:
        >>> equal_weights({"relu1_1": 1, "relu2_1": 2})
        {'relu1_1': tensor([0.5000]), 'relu2_1': tensor([0.5000, 0.5000])}
    """
    return {layer: torch.full((count,), 1 / len(channels)) for layer, count in channels.items()}
