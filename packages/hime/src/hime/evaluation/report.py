"""``hime evaluate``: the table of an evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faceops.device import DeviceName, select_device
from hime.evaluation.quality import QualityScores
from hime.evaluation.scores import conditions, evaluate
from portraitdata.exemplars.index import Split


def print_evaluation(
    names: Sequence[str],
    index: Path,
    size: int,
    crop: int | None,
    split: Split,
    references: Sequence[int],
    *,
    stranger: bool,
    blank: bool,
    limit: int | None,
    device: DeviceName,
    as_json: bool,
) -> None:
    """Print the scores of every weights file under every condition; see `hime.evaluation.scores.evaluate`."""
    rows = conditions(references, stranger, blank)
    chosen = select_device(device)
    tables = {
        name: evaluate(name, index, size=size, crop=crop, split=split, rows=rows, limit=limit, device=chosen)
        for name in names
    }
    if as_json:
        print(json.dumps(tables, indent=2))
        return
    console = Console()
    for name, scores in tables.items():
        console.print(evaluation_table(name, scores))
    quality = QualityScores()
    if not quality.measures_lpips:
        console.print(quality.why_no_lpips)


def evaluation_table(name: str, scores: dict[str, dict[str, float]]) -> Table:
    """Scores as a table, one row a condition, bicubic first."""
    measured = [key for key in next(iter(scores.values())) if key != "psnr_bicubic"]
    table = Table(title=name)
    table.add_column("references")
    for key in measured:
        table.add_column({"psnr": "PSNR, dB"}.get(key, key.upper()), justify="right")
    table.add_column("over bicubic, dB", justify="right")
    for condition, values in scores.items():
        gain = values["psnr"] - values["psnr_bicubic"]
        table.add_row(condition, *(f"{values[key]:.4g}" for key in measured), f"{gain:+.2f}")
    bicubic = next(iter(scores.values()))["psnr_bicubic"]
    table.caption = f"bicubic: {bicubic:.2f} dB; RGB, mean over the photographs"
    return table
