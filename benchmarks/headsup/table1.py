"""HeadsUp, Table 1 in miniature: aligned faces, CelebA-Test if it is there, else the held-out portraits' faces."""

from collections.abc import Sequence

from benchmarks.headsup.methods import Method, by_restorer, enlarged, real_esrgan
from benchmarks.headsup.portrait_sets import held_out_portraits
from benchmarks.headsup.published_figures import published_table
from benchmarks.headsup.published_sets import published_set, where
from benchmarks.headsup.samples import Sample, degraded
from benchmarks.headsup.scores import Judges, judges, score_methods
from benchmarks.headsup.sheet import sheet, spread
from benchmarks.reporting.table import Suite, Table
from faceops.geometry.alignment import align
from headsup.restoring.photo_restorer import PhotoRestorer
from portraitdata.degradation.presets import PresetName
from portraitdata.images.resampling import to_8_bit
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.scoring.face_geometry import aligned_face

METRICS = ("psnr", "ssim", "lpips-vgg", "niqe", "ida_daefr", "ida", "id")
"""The paper's columns by DAEFR's conventions (RGB, LPIPS of VGG-16), and identity by a network that is here."""

PRESET: PresetName = "daefr"
"""Degradation of the stand-in: what DAEFR, whose test set the paper takes, draws its inputs from. The recipe of the
test set itself is not published."""

STAND_IN = (
    "This is a stand-in, not CelebA-Test: faces of the held-out portraits, aligned to FFHQ, degraded as DAEFR's "
    "training (preset daefr; the recipe of CelebA-Test's inputs is not published). Compare rows with each other, "
    "not with the paper."
)

NOTE = (
    "PSNR and SSIM are of RGB, as DAEFR's. The angle is that of embeddings by EdgeFace-XS in radians, IDA by a network "
    "that is here; its values are not those of the paper's network. The public network gets the input reduced by four."
)


def measure(suite: Suite) -> list[Table]:
    """One table.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    quick = suite == "quick"
    official = published_set("CelebA-Test", aligned=True, limit=8 if quick else None)
    scorer = judges(METRICS, "rgb", aligned=True)
    if official is not None:
        return [table(official, scorer, f"CelebA-Test, {len(official)} faces", "")]
    faces = aligned_faces(256 if quick else 512, 8 if quick else None)
    title = f"Stand-in for CelebA-Test: {len(faces)} held-out aligned faces, {faces[0].truth.shape[1]} pixels"
    return [table(faces, scorer, title, f"{STAND_IN} {where('CelebA-Test')}")]


def table(samples: Sequence[Sample], scorer: Judges, title: str, remark: str) -> Table:
    """Scores, with a sheet of pictures."""
    shown = spread(samples)
    scores = score_methods(methods(), samples, scorer, [sample.name for sample in shown])
    return Table(
        "headsup_table1",
        title,
        ("method", *scorer.columns),
        scores.rows(),
        ("ID-Score",),
        "cosine of true and restored face",
        f"{remark} {NOTE} {scores.remark()}".strip(),
        published_table(1),
        logarithmic=False,
        pictures={title: sheet(shown, scores.pictures)},
    )


def methods() -> dict[str, Method]:
    """The paper's "Ours" has no reference here; with one is a row more."""
    ours = PhotoRestorer.load("tiny")
    return {
        "input": enlarged,
        "Real-ESRGAN compact": real_esrgan(),
        "ours": by_restorer(ours, referenced=False),
        "ours, with reference": by_restorer(ours, referenced=True),
    }


def aligned_faces(side: int, limit: int | None) -> list[Sample]:
    """Faces of the held-out portraits, aligned and degraded at their size.

    Args:
        side: Of the faces, in pixels.
        limit: How many photographs are used; None for all.
    """
    pairs = EvaluationPairs(held_out_portraits(), size=512, limit=limit)
    return [aligned_sample(pairs, number, side) for number in range(len(pairs))]


def aligned_sample(pairs: EvaluationPairs, number: int, side: int) -> Sample:
    """The aligned face of a photograph; the seed of its degradation is its number."""
    item = pairs[number]
    face = item.faces.largest()
    truth = to_8_bit(align(item.hq.float().unsqueeze(0) / 255, face, side).crops)
    low = degraded(truth[0], PRESET, 1, number)
    reference = None if item.reference is None else item.reference.float() / 255
    return Sample(item.name.split("/")[-1], low, truth[0], aligned_face(truth, item.name), reference)
