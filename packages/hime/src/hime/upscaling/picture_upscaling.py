"""Super-resolution of a picture with photographs of the same person: any size, any number of exemplars."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.images.files import LUMA, Picture
from faceops.images.finite_values import check_finite_values
from faceops.images.opacity import without_hidden_colours
from hime.network import HIME
from hime.upscaling.exemplars import Exemplar, align_exemplars, stack_exemplars
from hime.upscaling.tiling import Tiling, run_in_tiles
from portraitdata.images.resampling import bicubic

SMALLEST_SIDE = 4
"""Shortest side of an input in pixels; less holds no face."""

LARGEST_OUTPUT = 200_000_000
"""Pixels of the largest output: 2.4 GB as float32; `load_picture` reads no larger picture either."""

FAR = 2
"""An input this many times larger or smaller than the training images deserves a warning."""


@dataclass(frozen=True)
class Upscaled:
    """Result of `upscale`, with what explains it."""

    picture: Picture
    """The magnified picture; depth, alpha, grey, colour profile and metadata are those of the input."""
    exemplars: Float[Tensor, "n 3 sh sw"]
    """The exemplars as the network saw them."""
    similarity: Float[Tensor, "n h w"] | None
    """Similarity of every exemplar at every pixel of the input (mu of Eq. 7), in [0, 1].

    Only ratios count, so values may be tiny throughout. None without exemplars and without CoFA.
    """
    weight: Float[Tensor, "n h w"] | None
    """Share of every exemplar at every pixel of the input, summing to one over them; None without exemplars."""


def upscale(
    network: HIME,
    picture: Picture,
    exemplars: Sequence[Picture | Exemplar] = (),
    tiling: Tiling | None = None,
    trained_lr_size: int | None = None,
    detector: Detector | None = None,
) -> Upscaled:
    """Magnify a picture by the network's scale.

    The network runs where its weights are. Inputs larger than a tile are cut into overlapping ones.

    Args:
        network: Network with trained weights.
        picture: Low-resolution picture, at least 4 pixels high and wide.
        exemplars: Photographs of the same person, any number and any size. Their alpha is ignored. Those for several
            pictures are best given as what `Exemplar.seen_by` makes of them, once.
        tiling: Size of the tiles in low-resolution pixels; None means 128, 16 of them context and 16 blend.
        trained_lr_size: Side of the images the weights were trained on, if a warning about sizes is wanted.
        detector: Finds the faces by which exemplars are aligned to the input, see `align_exemplars`. Without it, the
            largest centred part of the input's aspect ratio is taken of each: they must be framed like the input.

    Raises:
        ValueError: If the picture is too small, the result would be too large, or a value of the picture or an exemplar
            is not finite.

    Warns:
        UserWarning: If the picture's size is far from `trained_lr_size`, or the detector finds no face.
    """
    check_finite_values("The picture", picture.pixels, picture.alpha)
    for number, exemplar in enumerate(exemplars, 1):
        samples = exemplar.samples if isinstance(exemplar, Exemplar) else exemplar.pixels
        check_finite_values(f"Exemplar {number}", samples)
    picture = without_hidden_colours(picture)
    height, width = picture.pixels.shape[-2:]
    check_size(height, width, network.scale)
    warn_of_size(height, width, trained_lr_size)
    references = framed_exemplars(picture, exemplars, network.scale, detector)
    device = next(network.parameters()).device

    def run(lr: Tensor, part: Tensor) -> list[Tensor]:
        result = network.explain(lr[None].to(device), part[None].to(device) if len(part) else None)
        return [maps[0] for maps in (result.image, result.similarity, result.weight) if maps is not None]

    with torch.no_grad():
        image, *maps = run_in_tiles(run, picture.pixels, references, network.scale, tiling or Tiling())
    # Without CoFA there is a weight but no similarity, so the maps are taken from the end.
    weight = maps[-1] if maps else None
    similarity = maps[0] if len(maps) == 2 else None
    return Upscaled(enlarged(picture, image.clamp(0, 1)), references, similarity, weight)


def framed_exemplars(
    picture: Picture, exemplars: Sequence[Picture | Exemplar], scale: int, detector: Detector | None
) -> Float[Tensor, "n 3 sh sw"]:
    """Exemplars in the frame of the output: by their faces if there is a detector, else by their middle.

    Warns:
        UserWarning: If an exemplar is smaller than the output, or the detector finds no face in the input or in one.
    """
    photographs = [
        each if isinstance(each, Exemplar) else Exemplar.seen_by(detector, each.pixels) for each in exemplars
    ]
    height, width = picture.pixels.shape[-2:]
    for number, photograph in enumerate(photographs, 1):
        rows, columns = photograph.samples.shape[-2:]
        if min(rows, columns) < min(height, width) * scale:
            warnings.warn(
                f"Exemplar {number} has {columns} x {rows} pixels, the result "
                f"{width * scale} x {height * scale}: it holds little that the picture lacks.",
                UserWarning,
                stacklevel=3,
            )
    if detector is None or not photographs:
        return stack_exemplars(photographs, height * scale, width * scale)
    aligned = align_exemplars(picture.pixels, photographs, scale, detector)
    if not aligned.input_has_face:
        warnings.warn(
            "No face was found in the picture, so the exemplars are not aligned to it: of each the middle is taken, "
            "where its face should lie as in the picture.",
            UserWarning,
            stacklevel=3,
        )
    if aligned.without_face:
        numbers = ", ".join(str(number + 1) for number in aligned.without_face)
        warnings.warn(
            f"No face was found in exemplar {numbers}: of such an exemplar the middle is taken.",
            UserWarning,
            stacklevel=3,
        )
    return aligned.images


def enlarged(picture: Picture, pixels: Float[Tensor, "3 sh sw"]) -> Picture:
    """The picture with new pixels; alpha is enlarged by bicubic, grey stays grey, all else is kept."""
    if picture.grey:
        pixels = (pixels * LUMA).sum(dim=0, keepdim=True).expand(3, -1, -1)
    alpha = picture.alpha
    if alpha is not None:
        alpha = bicubic(alpha, pixels.shape[-2], pixels.shape[-1]).clamp(0, 1)
    return replace(picture, pixels=pixels.contiguous(), alpha=alpha)


def check_size(height: int, width: int, scale: int) -> None:
    """Refuse inputs that hold no face and outputs that no image reader opens; ValueError if the size does not fit."""
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"A picture to upscale must be at least {SMALLEST_SIDE} pixels high and wide, got {width} x {height}."
        )
    if height * width * scale**2 > LARGEST_OUTPUT:
        raise ValueError(
            f"{width} x {height} pixels magnified {scale} times would be {height * width * scale**2 / 1e6:.0f} "
            f"megapixels, more than the {LARGEST_OUTPUT / 1e6:.0f} that `hime` writes; cut the face out first."
        )


def warn_of_size(height: int, width: int, trained: int | None) -> None:
    """Warn if an input is more than twice as large or small as the training images.

    Warns:
        UserWarning: If so.
    """
    side = (height * width) ** 0.5
    if trained is None or trained / FAR <= side <= trained * FAR:
        return
    advice = (
        "a headshot this large needs little help"
        if side > trained
        else "expect a face that is invented more than restored"
    )
    warnings.warn(
        f"The picture has {width} x {height} pixels, but the weights were trained on {trained} x {trained}: {advice}. "
        f"They work best on a headshot of about {trained} pixels.",
        UserWarning,
        stacklevel=3,
    )
