"""What the shipped restorer does, and what its autoencoder and good photographs allow: the tables of its model card."""

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.methods import by_restorer, enlarged
from benchmarks.headsup.portrait_sets import held_out_lfw, held_out_portraits
from benchmarks.headsup.samples import DegradedSet
from benchmarks.headsup.scores import Judges, judges, score_methods
from benchmarks.headsup.table4 import METRICS
from benchmarks.reporting.table import Suite, Table
from faceops.images.files import Picture
from headsup.model.autoencoder import decode, encode
from headsup.model.backbone import load_backbone
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.scoring.psnr import psnr

NAME = "tiny"
SIDES = 128, 256, 512
"""Of the portraits that the autoencoder keeps, in pixels."""

CLEAN, TWICE = 128, 256
"""Side of a good photograph, and what it is enlarged to, in pixels."""

LFW: dict[Suite, int] = {"quick": 8, "full": 96}
PORTRAITS: dict[Suite, int | None] = {"quick": 4, "full": None}
"""How many photographs."""


def measure(suite: Suite) -> list[Table]:
    """Scores on portraits and on LFW, of the autoencoder alone, and of good photographs.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    portraits = held_out_portraits()
    sets = (
        DegradedSet("portraits", portraits, 128, "realesrgan", PORTRAITS[suite], "held-out portraits"),
        DegradedSet("lfw", held_out_lfw(), 128, "realesrgan", LFW[suite], "held-out photographs of LFW"),
    )
    scorer, restorer = judges(METRICS, "osediff"), PhotoRestorer.load(NAME)
    truths = DegradedSet("512", portraits, max(SIDES), "mild", PORTRAITS[suite], "").samples()
    sharp = [sample.truth for sample in truths]
    return [*(restored(each, restorer, scorer) for each in sets), kept(sharp), clean(sharp, restorer)]


def restored(tested: DegradedSet, restorer: PhotoRestorer, scorer: Judges) -> Table:
    """Damaged as in training, without and with references."""
    samples = tested.samples()
    methods = {
        "bicubic": enlarged,
        "without reference": by_restorer(restorer, referenced=False),
        "with a reference": by_restorer(restorer, referenced=True),
    }
    scores = score_methods(methods, samples, scorer)
    title = f"{NAME} on {len(samples)} {tested.words}, {tested.side} pixels from {tested.side // 4}"
    columns = ("method", *scorer.columns)
    return Table(f"headsup_{NAME}_{tested.key}", title, columns, scores.rows(), note=scores.remark())


@torch.inference_mode()
def kept(sharp: list[Float[Tensor, "3 h w"]]) -> Table:
    """Encoded and decoded again, nothing restored."""
    vae = load_backbone(NAME).vae
    rows = []
    for side in SIDES:
        images = [to_8_bit(bicubic(image[None], side, side)) for image in sharp]
        again = [decode(vae, encode(vae, image)).clamp(0, 1) for image in images]
        rows.append((side, mean_psnr(again, images)))
    title = f"The autoencoder of {NAME} on {len(sharp)} held-out portraits"
    return Table(f"headsup_{NAME}_autoencoder", title, ("side, px", "PSNR, dB"), tuple(rows))


def clean(sharp: list[Float[Tensor, "3 h w"]], restorer: PhotoRestorer) -> Table:
    """Good photographs made twice as large."""
    truths = [to_8_bit(bicubic(image[None], TWICE, TWICE)) for image in sharp]
    inputs = [to_8_bit(bicubic(truth, CLEAN, CLEAN)) for truth in truths]
    options = RestoreOptions(scale=TWICE / CLEAN)
    ours = [restorer(Picture(image[0]), options).picture.pixels[None] for image in inputs]
    bicubics = [bicubic(image, TWICE, TWICE).clamp(0, 1) for image in inputs]
    rows = (("bicubic", mean_psnr(bicubics, truths)), (NAME, mean_psnr(ours, truths)))
    title = f"{len(sharp)} undamaged portraits, {TWICE} pixels from {CLEAN}"
    return Table(f"headsup_{NAME}_clean", title, ("method", "PSNR, dB"), rows)


def mean_psnr(images: list[Float[Tensor, "1 3 h w"]], truths: list[Float[Tensor, "1 3 h w"]]) -> float:
    """Mean over images, in dB, of RGB."""
    return psnr(torch.cat(images), torch.cat(truths), "rgb").mean().item()
