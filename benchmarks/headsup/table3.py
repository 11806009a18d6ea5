"""HeadsUp, Table 3 in miniature: pictures of anything, DIV2K, RealSR and DRealSR if they are there, else a stand-in."""

from collections.abc import Sequence
from pathlib import Path

import skimage.data

from benchmarks.headsup.methods import Method, by_restorer, enlarged, real_esrgan
from benchmarks.headsup.published_figures import published_table
from benchmarks.headsup.published_sets import published_set, where
from benchmarks.headsup.samples import SCALE, Sample, degraded
from benchmarks.headsup.scores import Judges, judges, score_methods
from benchmarks.headsup.sheet import sheet, spread
from benchmarks.reporting.table import Published, Suite, Table
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture
from headsup.restoring.photo_restorer import PhotoRestorer
from portraitdata.degradation.presets import PresetName

METRICS = ("psnr", "ssim", "lpips", "dists", "niqe", "musiq", "clipiqa", "maniqa-pipal")
"""The paper's columns."""

TEST_SETS = ("DIV2K", "RealSR", "DRealSR")

PICTURES = (
    *("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    *("hubble_deep_field.jpg", "brick.png", "grass.png", "gravel.png"),
)
"""Photographs without people that scikit-image's wheel brings: nothing is fetched."""

PRESET: PresetName = "stablesr"

STAND_IN = (
    "This is a stand-in, not DIV2K: photographs that come with scikit-image, degraded as StableSR's test sets (preset "
    "stablesr). The small restorer has seen nothing but portraits. Compare rows with each other, not with the paper."
)

NOTE = "PSNR and SSIM are of Y of YCbCr, as the paper's."


def measure(suite: Suite) -> list[Table]:
    """A table for each test set that is there, or that of the stand-in.

    Raises:
        LeftOutError: If the weights beside the photographs are not there.
    """
    quick = suite == "quick"
    rows, scorer = methods(), judges(METRICS, "osediff")
    found = {name: published_set(name, aligned=False, limit=8 if quick else None) for name in TEST_SETS}
    tables = [
        table(name, samples, rows, scorer, NOTE, published_table(3, name))
        for name, samples in found.items()
        if samples is not None
    ]
    if tables:
        return tables
    samples = [sample(name, number, 256 if quick else 512) for number, name in enumerate(PICTURES)]
    used = samples[:4] if quick else samples
    return [table("stand-in", used, rows, scorer, f"{STAND_IN} {where('DIV2K')} {NOTE}", published_table(3))]


def table(
    name: str,
    samples: Sequence[Sample],
    rows: dict[str, Method],
    scorer: Judges,
    note: str,
    published: Published,
) -> Table:
    """Scores of one test set, with a sheet of pictures."""
    shown = spread(samples)
    scores = score_methods(rows, samples, scorer, [sample.name for sample in shown])
    title = f"Pictures of anything ({name}), {len(samples)}, enlarged by {SCALE}"
    return Table(
        "headsup_table3" if name == "stand-in" else f"headsup_table3_{name.lower()}",
        title,
        ("method", *scorer.columns),
        scores.rows(),
        ("PSNR",),
        "dB",
        f"{note} {scores.remark()}".strip(),
        published,
        logarithmic=False,
        pictures={title: sheet(shown, scores.pictures)},
    )


def methods() -> dict[str, Method]:
    """The same as for portraits, without what is for faces."""
    return {
        "bicubic": enlarged,
        "Real-ESRGAN compact": real_esrgan(),
        "ours": by_restorer(PhotoRestorer.load("tiny"), referenced=False),
    }


def sample(name: str, seed: int, side: int) -> Sample:
    """The middle of a photograph, degraded.

    Args:
        name: Of scikit-image's file.
        seed: Of the degradation.
        side: Most pixels that a side of the truth has; smaller photographs give what they have.
    """
    pixels = load_picture(Path(skimage.data.__file__).parent / name).pixels
    height, width = (min(side, length) // SCALE * SCALE for length in pixels.shape[1:])
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    truth = pixels[:, top : top + height, left : left + width].contiguous()
    return Sample(Path(name).stem, degraded(truth, PRESET, SCALE, seed), truth, Faces.none())
