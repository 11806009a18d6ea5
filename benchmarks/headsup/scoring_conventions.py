"""What `portraitdata score` says of portraits enlarged by bicubic, and how far apart the conventions of PSNR are."""

from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from benchmarks.headsup.portrait_sets import held_out_portraits
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Suite, Table
from faceops.images.files import Picture, save_picture
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.scoring.conventions import Convention
from portraitdata.scoring.folders import score_folders
from portraitdata.scoring.selection import ScoringSettings
from portraitdata.scoring.table import ScoreTable

IMAGES, SIDE, SCALE = 8, 512, 4
METRICS = ("psnr", "ssim", "id", "lmd")


def measure(suite: Suite) -> list[Table]:
    """The command's table, and PSNR and SSIM by both conventions.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    with TemporaryDirectory() as folder:
        restored, target = Path(folder) / "restored", Path(folder) / "target"
        write_pictures(restored, target)
        whole = score_folders(restored, target, METRICS, settings("osediff"))
        rgb = score_folders(restored, target, METRICS[:2], settings("rgb"))
    return [example(whole), conventions(whole, rgb)]


def settings(convention: Convention) -> ScoringSettings:
    """Settings with the networks of the assets."""
    weights = photographs() / "weights"
    return ScoringSettings(
        convention,
        detector="yunet",
        detector_weights=weights / "detect/yunet_n_640_640.onnx",
        identity_weights=weights / "identity/mobilefacenet_foamliu.pt",
    )


def write_pictures(restored: Path, target: Path) -> None:
    """Portraits, and the same reduced and enlarged again."""
    pairs = EvaluationPairs(held_out_portraits(), SIDE, SCALE, references=False, limit=IMAGES)
    for folder in (restored, target):
        folder.mkdir()
    for number in range(len(pairs)):
        item = pairs[number]
        truth, name = item.hq.float() / 255, f"{Path(item.name).stem}.png"
        low = to_8_bit(bicubic(truth[None], SIDE // SCALE, SIDE // SCALE))
        save_picture(Picture(truth), target / name)
        save_picture(Picture(bicubic(low, SIDE, SIDE)[0].clamp(0, 1)), restored / name)


def example(scores: ScoreTable) -> Table:
    """What the command prints."""
    means = scores.means
    rows = tuple(
        (
            f"{column.name} {'↑' if column.higher_is_better else '↓'}",
            mean(scores.values(column.name)) if means[column.name] is not None else "",
            scores.counts[column.name],
            column.convention,
            ", ".join(scores.worst(column.name, 1)),
        )
        for column in scores.columns
    )
    title = f"{len(scores.rows)} portraits of {SIDE} pixels, reduced {SCALE} times and enlarged by bicubic"
    return Table("scoring_example", title, ("metric", "mean", "images", "measured as", "worst"), rows)


def conventions(y: ScoreTable, rgb: ScoreTable) -> Table:
    """Means by convention, and by how much RGB's PSNR is lower, image by image."""
    below = [a - b for a, b in zip(y.values("psnr"), rgb.values("psnr"), strict=True)]
    rows = tuple(
        (name, mean(scores.values("psnr")), mean(scores.values("ssim")), *apart)
        for name, scores, apart in (("osediff", y, ("", "")), ("rgb", rgb, (min(below), max(below))))
    )
    columns = "convention", "PSNR", "SSIM", "PSNR lower by at least", "at most"
    return Table("scoring_conventions", f"The same {len(y.rows)} portraits by two conventions", columns, rows)
