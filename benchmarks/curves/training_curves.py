"""How the shipped weights came to be: scores on held-out people by step, kept as CSV files in benchmarks/curves/.

The ssim in HIME's files was logged with the image mirrored at its border: it does not compare with that of
`portraitdata.scoring.ssim`.
"""

import csv
from collections import defaultdict
from pathlib import Path

from benchmarks.reporting.table import Suite, Table

FOLDER = Path(__file__).parent

Points = list[tuple[float, float]]


def measure(suite: Suite) -> list[Table]:
    """A table for each score that was kept; nothing is trained here."""
    return [
        curve("small-x8_last_3000_steps", "psnr", "PSNR, dB", "HIME small-x8: its last 3,000 steps on a CPU"),
        curve("hime_16x8_gpu", "psnr", "PSNR, dB", "HIME at (16, 8), 3 references: training on with a GPU"),
        curve("hime_32x4_gpu", "psnr", "PSNR, dB", "HIME at (32, 4), 3 references: training on with a GPU"),
        curve("tiny_autoencoder", "psnr", "PSNR, dB", "tiny: the autoencoder"),
        curve("tiny_denoiser", "error", "mean squared error of the noise", "tiny: the denoiser"),
        curve("tiny_restorer", "psnr", "PSNR, dB", "tiny: the restorer, with a reference"),
        curve("guided", "psnr", "PSNR, dB", "guided: without references, held-out portraits at 96 px"),
        curve("tiny_restorer", "identity", "identity", "tiny: likeness by the network of the loss, with a reference"),
    ]


def curve(name: str, score: str, unit: str, title: str) -> Table:
    """A score by step, a line for each run, and that of the bicubic where it was kept.

    Args:
        name: File without its ending; columns step and scores, perhaps run.
        score: Column.
        unit: What it measures.
        title: Title of the table.
    """
    with (FOLDER / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines: dict[str, Points] = defaultdict(list)
    for row in rows:
        lines[row.get("run", name)].append((float(row["step"]), float(row[score])))
        if row.get(f"{score}_bicubic"):
            lines["bicubic"].append((float(row["step"]), float(row[f"{score}_bicubic"])))
    if "bicubic" in lines:
        lines["bicubic"] = sorted(set(lines["bicubic"]))  # of all runs
    ends = tuple((line, points[0][0], points[0][1], points[-1][0], points[-1][1]) for line, points in lines.items())
    columns = "run", "first step", f"first {unit}", "last step", f"last {unit}"
    return Table(f"curve_{name}_{score}", title, columns, ends, curves=lines, axes=("step", unit))
