"""What another photograph of the same person is worth: not given, its middle, aligned by the face, a stranger's.

Needs the folder that PORTRAIT_ASSETS points to: `images/portraits/london_ccby4`, people who look straight into the
camera, once neutral and once smiling, on whom no weights of HIME were trained.
"""

from statistics import mean

import torch
from torch import Tensor

from benchmarks.photographs import photographs
from benchmarks.reporting.table import Suite, Table
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.geometry.landmarks import LFW_250
from faceops.geometry.similarity import least_squares_similarity
from faceops.geometry.warping import warp_affine
from faceops.images.files import Picture, load_picture
from hime.network import HIME
from hime.upscaling.picture_upscaling import upscale
from hime.weights.files import load_network
from hime.weights.shipped import shipped_weights
from portraitdata.images.resampling import bicubic, to_8_bit

SIDE = 128
FRAME = (LFW_250.tensor() - (LFW_250.size - SIDE) / 2).float()
"""Mean landmarks of the training photographs, in pixels of the output."""

QUICK = "small-x8", "small-x4"
"""Weights of the quick suite."""

EVERY: dict[Suite, int] = {"quick": 4, "full": 1}
"""Of how many people one is taken."""


def measure(suite: Suite) -> list[Table]:
    """PSNR of the smiling photograph, enlarged with the help of the neutral one.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    folder = photographs()
    detector = build_detector()
    files = sorted((folder / "images/portraits/london_ccby4").glob("*_smiling.jpg"))
    files = files[:: EVERY[suite]]
    truths = [framed(load_picture(file).pixels, detector) for file in files]
    exemplars = [load_picture(file.with_name(file.name.replace("smiling", "neutral"))) for file in files]
    names = [name for name in shipped_weights() if suite == "full" or name in QUICK]
    rows = tuple(score(name, truths, exemplars, detector) for name in names)
    columns = (
        "weights",
        "bicubic",
        "no exemplar",
        "its middle",
        "aligned",
        "a stranger's, aligned",
        "better of people",
        "gain",
    )
    title = f"PSNR in dB (RGB) of {len(files)} portraits with one other photograph of the person"
    return [Table("exemplar_alignment", title, columns, rows, columns[1:6], "PSNR, dB", logarithmic=False)]


def framed(image: Tensor, detector: Detector) -> Tensor:
    """The head, framed as the weights know heads."""
    landmarks = detector(image[None]).largest().landmarks
    return warp_affine(image[None], least_squares_similarity(landmarks, FRAME), SIDE, antialias=True)[0]


def score(name: str, truths: list[Tensor], exemplars: list[Picture], detector: Detector) -> tuple[str | float, ...]:
    """One row: means over the people, the share of them whom the aligned exemplar helps, and by how much."""
    network = load_network(name)
    found = [
        ways(network, truth, exemplars[number], exemplars[number - 1], detector) for number, truth in enumerate(truths)
    ]
    helped = mean(float(one[3] > one[1]) for one in found)
    means = [mean(column) for column in zip(*found, strict=True)]
    return (name, *means, f"{helped:.0%}", means[3] - means[1])


def ways(network: HIME, truth: Tensor, exemplar: Picture, strangers: Picture, detector: Detector) -> tuple[float, ...]:
    """PSNR by each way."""
    side = SIDE // network.scale
    low = Picture(to_8_bit(bicubic(truth[None], side, side))[0])
    results = (
        bicubic(low.pixels, SIDE, SIDE).clamp(0, 1),
        upscale(network, low).picture.pixels,
        upscale(network, low, [exemplar]).picture.pixels,
        upscale(network, low, [exemplar], detector=detector).picture.pixels,
        upscale(network, low, [strangers], detector=detector).picture.pixels,
    )
    return tuple(-10 * torch.log10((result - truth).square().mean()).item() for result in results)
