"""Photographs with a face pasted in, from untouched to bad, for the measure of the seam."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.photographs import photographs
from faceops.detection.detectors.yunet import YuNet
from faceops.geometry.alignment import align
from faceops.geometry.pasting import feathered_mask, paste
from faceops.images.files import load_picture

Image = Float[Tensor, "1 3 h w"]
Mask = Float[Tensor, "1 1 h w"]

CROP = 512
"""Side of the aligned face, in pixels."""

SIDE = 640
"""Longest side of the photographs, in pixels."""


@dataclass(frozen=True)
class Portrait:
    """A photograph, its aligned face put back as it was, and masks of the face."""

    name: str
    photo: Image
    pasted_back: Image
    masks: dict[str, Mask]


def portraits_folder() -> Path:
    """Folder of the photographs.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to it.
    """
    return photographs() / "images" / "portraits"


def yunet() -> YuNet:
    """Detector with the weights that are beside the photographs."""
    return YuNet(portraits_folder().parents[1] / "weights" / "detect" / "yunet_n_640_640.onnx")


def portrait(path: Path, detector: YuNet) -> Portrait:
    """Read a photograph, reduce it, find its largest face and make the masks."""
    pixels = load_picture(path).pixels
    height, width = (round(side * SIDE / max(pixels.shape[1:])) for side in pixels.shape[1:])
    reduced = cv2.resize(pixels.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_AREA)
    photo = eight_bits(torch.from_numpy(reduced).permute(2, 0, 1).unsqueeze(0))
    aligned = align(photo, detector(photo).largest(), CROP)
    # Only the channels of the mask matter here: white laid over black.
    masks = {
        name: paste(torch.zeros_like(photo), torch.ones_like(aligned.crops), aligned.matrix, aligned.image_index, mask)
        for name, mask in crop_masks().items()
    }
    pasted_back = eight_bits(paste(photo, aligned.crops, aligned.matrix, aligned.image_index))
    return Portrait(path.stem, photo, pasted_back, {name: mask[:, :1].clamp(0, 1) for name, mask in masks.items()})


def crop_masks() -> dict[str, Float[Tensor, "1 s s"]]:
    """Ways to blend an aligned face: a hard square, faceops' feathered one, a feathered oval around the features."""
    oval = np.zeros((CROP, CROP), np.float32)
    cv2.ellipse(oval, (256, 285), (135, 180), 0, 0, 360, 1, -1)
    return {
        "hard square": feathered_mask(CROP, feather=0.0),
        "feathered square": feathered_mask(CROP),
        "hard oval": torch.from_numpy(oval).unsqueeze(0),
        "feathered oval": torch.from_numpy(cv2.GaussianBlur(oval, (0, 0), 11)).unsqueeze(0),
    }


def blend(portrait: Portrait, changed: Image, mask: Mask) -> Image:
    """The changed photograph inside the mask, the untouched outside, in eight bits."""
    return eight_bits(portrait.photo + mask * (changed - portrait.photo))


def eight_bits(images: Image) -> Image:
    """Round as a file does."""
    return (images.clamp(0, 1) * 255).round() / 255


def _by_opencv(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Image], Image]:
    def change(photo: Image) -> Image:
        out = function(np.ascontiguousarray(photo[0].permute(1, 2, 0).numpy()))
        return torch.from_numpy(out).permute(2, 0, 1).unsqueeze(0).clamp(0, 1)

    return change


def blurred(sigma: float) -> Callable[[Image], Image]:
    """Gaussian blur, sigma in pixels."""
    return _by_opencv(lambda x: cv2.GaussianBlur(x, (0, 0), sigma))


def sharpened(amount: float) -> Callable[[Image], Image]:
    """Unsharp mask of sigma 1.5."""
    return _by_opencv(lambda x: x + amount * (x - cv2.GaussianBlur(x, (0, 0), 1.5)))


def smoothed(strength: float) -> Callable[[Image], Image]:
    """Noise and fine skin taken away by a bilateral filter, outlines kept; strength in [0, 1] levels."""
    return _by_opencv(lambda x: cv2.bilateralFilter(x, 9, strength, 3.0))


def grainy(sigma: float) -> Callable[[Image], Image]:
    """Noise of its own, in levels of eight bits."""
    return lambda photo: photo + sigma / 255 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))


def shifted(red: float, green: float, blue: float) -> Callable[[Image], Image]:
    """Another colour, in levels of eight bits."""
    return lambda photo: photo + torch.tensor([red, green, blue]).reshape(3, 1, 1) / 255


PASTES: dict[str, tuple[Callable[[Image], Image], ...]] = {
    "blurred": (blurred(1.0), blurred(2.0)),
    "sharpened": (sharpened(0.7), sharpened(2.0)),
    "smoothed": (smoothed(0.06), smoothed(0.2)),
    "grainy": (grainy(2), grainy(6)),
    "warmer": (shifted(4, 0, -4), shifted(12, 0, -12)),
    "brighter": (shifted(5, 5, 5), shifted(15, 15, 15)),
}
"""What may be wrong with a pasted face: mild and bad."""

DEGREES = ("mild", "bad")
