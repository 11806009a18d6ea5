"""HeadsUp, Table 4 in miniature: what the face losses and the reference do, five short trainings from one start.

The weights are made by the commands of docs/train-headsup.md, "Table 4 in miniature"; without them a row is left out.
"""

from pathlib import Path

from benchmarks.headsup.methods import Method, by_restorer, enlarged
from benchmarks.headsup.portrait_sets import FOLDER, held_out_lfw, held_out_portraits
from benchmarks.headsup.published_figures import published_table
from benchmarks.headsup.samples import DegradedSet
from benchmarks.headsup.scores import Judges, Scores, judges, score_methods
from benchmarks.reporting.table import LeftOutError, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer

TABLE4 = published_table(4)

METRICS = ("psnr", "ssim", "lpips", "dists", "niqe", "musiq", "id")
"""The paper's columns."""

ROWS = tuple(str(row[0]) for row in TABLE4.rows)
REFERENCED = ROWS[-1]

STEPS = ((ROWS[0], ROWS[1]), (ROWS[0], ROWS[2]), (ROWS[0], ROWS[3]), (ROWS[2], ROWS[3]), (ROWS[3], ROWS[4]))
"""Rows that the paper compares: each loss alone, both, what fidelity gives back to identity, the reference."""

COLUMNS = {"PSNR": "PSNR", "SSIM": "SSIM", "LPIPS": "LPIPS", "VGG direction distance": "LPIPS", "DISTS": "DISTS"} | {
    "NIQE": "NIQE",
    "MUSIQ": "MUSIQ",
    "ID-Score": "ID-Score",
}
"""The paper's column by ours: the distance that stands for LPIPS is compared with it, by sign."""

NOTE = (
    "Each row is a short training from the same start: see docs/train-headsup.md. 128 pixels from 32, as in training, "
    "Real-ESRGAN's degradation, people who were not trained on. PSNR and SSIM are of Y of YCbCr. ID-Score is Eq. 4 by "
    "EdgeFace-XS, which no loss saw; the losses' network is MobileFaceNet. The reference is used in one pass, as "
    "in the paper."
)


def weights(row: int) -> Path:
    """File of the weights of a row, from 1."""
    return Path(f"outputs/tiny_row{row}.safetensors")


def measure(suite: Suite) -> list[Table]:
    """A table of portraits and one of Labeled Faces in the Wild.

    The quick suite has the latter only where its index is there already, which takes minutes to make.

    Raises:
        LeftOutError: If there are no weights, or no photographs.
    """
    rows = methods()
    scorer = judges(METRICS, "osediff")
    sets = [DegradedSet("128", held_out_portraits(), 128, "realesrgan", None, "held-out portraits")]
    if suite == "full" or (FOLDER / "lfw/index/images.parquet").is_file():
        limit = 16 if suite == "quick" else 96
        sets.append(DegradedSet("lfw", held_out_lfw(), 128, "realesrgan", limit, "held-out photographs of LFW"))
    return [table(each, rows, scorer, number == 0) for number, each in enumerate(sets)]


def methods() -> dict[str, Method]:
    """The bicubic and the rows whose weights are there."""
    there = {name: weights(row) for row, name in enumerate(ROWS, 1) if weights(row).is_file()}
    if not there:
        raise LeftOutError(f"needs {weights(1)} to {weights(5).name}: see docs/train-headsup.md, Table 4 in miniature")
    restorers = {name: PhotoRestorer.load(path) for name, path in there.items()}
    ours = {name: by_restorer(restorer, name == REFERENCED, confined=False) for name, restorer in restorers.items()}
    return {"bicubic": enlarged, **ours}


def table(tested: DegradedSet, rows: dict[str, Method], scorer: Judges, with_published: bool) -> Table:
    """Scores of one set."""
    samples = tested.samples()
    scores = score_methods(rows, samples, scorer)
    absent = [f"{name} ({weights(row)})" for row, name in enumerate(ROWS, 1) if name not in rows]
    missing = f"Without {', '.join(absent)}: see docs/train-headsup.md." if absent else ""
    return Table(
        f"headsup_table4_{'lfw' if tested.key == 'lfw' else 'portraits'}",
        f"Table 4 in miniature, {len(samples)} {tested.words}",
        ("row", *scorer.columns),
        scores.rows(),
        ("ID-Score",),
        "cosine of true and restored face",
        f"{NOTE} {signs(scores)} {missing} {scores.remark()}".strip(),
        TABLE4 if with_published else None,
        logarithmic=False,
    )


def signs(scores: Scores) -> str:
    """Which differences between rows have the paper's sign, in a sentence for each pair of rows that is there."""
    ours = {name: dict(zip(scores.judges.columns, scores.means(name), strict=True)) for name in scores.numbers}
    theirs = {str(row[0]): dict(zip(TABLE4.columns, row, strict=True)) for row in TABLE4.rows}
    sentences = []
    for before, after in STEPS:
        if before not in ours or after not in ours:
            continue
        words: dict[bool, list[str]] = {True: [], False: []}
        for column in scores.judges.columns:
            difference = ours[after][column] - ours[before][column]
            published = float(theirs[after][COLUMNS[column]]) - float(theirs[before][COLUMNS[column]])
            words[difference * published > 0].append(f"{column} {difference:+.2g} (paper {published:+.2g})")
        same, other = (", ".join(words[key]) or "none" for key in (True, False))
        sentences.append(f"Row {before[0]} to {after[0]}, with the paper's sign: {same}; without: {other}.")
    return " ".join(sentences)
