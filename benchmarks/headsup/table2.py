"""HeadsUp, Table 2 in miniature: portraits of people who were not trained on, two degradations, by four.

Ours is the shipped small restorer, without and with the other photograph of the person, that also in the paper's one
pass. Beside it are the bicubic, a public network, the practice of blending, and the small restorer as trained without
face losses (first row of Table 4).

Other software is scored on the same pictures: run it on `outputs/benchmarks/portraits/lq_KEY` (faces to go by are in
`reference_KEY`) with the keys of `sets`, write the results under the same names into `FOLDER/KEY`, and name the folder
in PORTRAIT_RESULTS: `GFPGAN=results/gfpgan:Other=results/other`. Restorers that spandrel knows run by themselves, see
`benchmarks.headsup.public_methods`.
"""

from pathlib import Path

from benchmarks.headsup.methods import Method, by_blending, by_restorer, enlarged, real_esrgan, reference_pasted
from benchmarks.headsup.named_paths import named_paths
from benchmarks.headsup.portrait_sets import held_out_lfw, held_out_portraits
from benchmarks.headsup.public_methods import public_methods
from benchmarks.headsup.published_figures import published_table
from benchmarks.headsup.samples import DegradedSet, Sample
from benchmarks.headsup.scores import Judges, judges, score_folder, score_methods
from benchmarks.headsup.sheet import sheet, spread
from benchmarks.reporting.table import Cell, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer

METRICS = ("psnr", "ssim", "lpips", "dists", "niqe", "musiq", "id", "ida_daefr", "boundary")
"""The paper's columns but for the win rates, its IDA of Table 1, and our measure of the border."""

RESULTS = "PORTRAIT_RESULTS"
"""Environment variable: NAME=FOLDER of other software's results, several with the path separator between them."""

WITHOUT_FACE_LOSSES = Path("outputs/tiny_row1.safetensors")

NOTE = (
    "PSNR and SSIM are of Y of YCbCr, as the paper's. ID-Score is Eq. 4 by EdgeFace-XS, which no loss saw. "
    "BoundaryArtifact is measured for every row along the contour of the face that blending pastes, beyond what the "
    "truth has there. Where the face is, all methods are told by the truth. The row `reference pasted` restores "
    "nothing: it is what copying the other photograph, of the same day, would score. `one pass` is the paper's "
    "denoising, the row above it keeps what the reference brings to the face, as `headsup restore` does. Win "
    "rates: see `portraitdata study`."
)


def measure(suite: Suite) -> list[Table]:
    """One table for each degradation and size.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    rows = methods()
    scorer = judges(METRICS, "osediff")
    return [table(each, rows, scorer, number == 0) for number, each in enumerate(sets(suite))]


def sets(suite: Suite) -> list[DegradedSet]:
    """What is restored."""
    portraits, words = held_out_portraits(), "held-out portraits"
    if suite == "quick":
        return [DegradedSet("realesrgan", portraits, 256, "realesrgan", 8, words)]
    found = [DegradedSet(p, portraits, 256, p, None, words) for p in ("realesrgan", "mild")]
    found += [DegradedSet(f"{p}_512", portraits, 512, p, None, words) for p in ("realesrgan", "mild")]
    lfw = held_out_lfw()
    return [*found, *(DegradedSet(f"lfw_{p}", lfw, 128, p, 48, "held-out LFW") for p in ("realesrgan", "mild"))]


def methods() -> dict[str, Method]:
    """All rows that can be computed here."""
    ours = PhotoRestorer.load("tiny")
    found = {
        "bicubic": enlarged,
        "reference pasted": reference_pasted,
        "Real-ESRGAN compact": real_esrgan(),
        **public_methods(),
        "blending, ours + ours": by_blending(ours, ours),
        "ours": by_restorer(ours, referenced=False),
        "ours, with reference": by_restorer(ours, referenced=True),
        "ours, with reference, one pass": by_restorer(ours, referenced=True, confined=False),
    }
    if WITHOUT_FACE_LOSSES.is_file():
        found["without face losses"] = by_restorer(PhotoRestorer.load(WITHOUT_FACE_LOSSES), referenced=False)
    return found


def table(tested: DegradedSet, rows: dict[str, Method], scorer: Judges, with_published: bool) -> Table:
    """Scores of one degradation and size, with a sheet of pictures."""
    tested.write()
    samples = tested.samples()
    shown = spread(samples)
    scores = score_methods(rows, samples, scorer, [sample.name for sample in shown])
    others, missing = others_rows(tested, samples, scorer)
    referenced = sum(sample.reference is not None for sample in samples)
    note = f"{NOTE} {referenced} of {len(samples)} have a reference. {scores.remark()} {row1_remark()} {missing}"
    return Table(
        f"headsup_table2_{tested.key}",
        f"{len(samples)} {tested.words}, {tested.side} pixels from {tested.side // 4}, degradation {tested.preset}",
        ("method", *scorer.columns),
        (*scores.rows(), *others),
        ("ID-Score",),
        "cosine of true and restored face",
        note.strip(),
        published_table(2) if with_published else None,
        logarithmic=False,
        pictures={f"{tested.words}, {tested.preset}, {tested.side} pixels": sheet(shown, scores.pictures)},
    )


def others_rows(tested: DegradedSet, samples: list[Sample], scorer: Judges) -> tuple[list[tuple[Cell, ...]], str]:
    """Rows of other software's results, and why some have none."""
    rows, missing = [], []
    for name, folder in named_paths(RESULTS, "FOLDER").items():
        try:
            rows.append(score_folder(name, folder / tested.key, samples, scorer))
        except (OSError, ValueError) as error:
            missing.append(f"Without {name}: {error}.")
    return rows, " ".join(missing)


def row1_remark() -> str:
    """What is to be said of the row without face losses."""
    if WITHOUT_FACE_LOSSES.is_file():
        return "The row without face losses is of the ablation's short training (Table 4), not of the shipped one's."
    return f"Without face losses: needs {WITHOUT_FACE_LOSSES} (docs/train-headsup.md, Table 4 in miniature)."
