"""``hime evaluate``: the table of an evaluation."""

import json

from rich.console import Console
from rich.table import Table

from hime.command_options import EvaluateOptions
from hime.evaluation.quality import QualityScores
from hime.evaluation.scores import evaluate


def print_evaluation(options: EvaluateOptions) -> None:
    """Print the scores of every weights file under every condition; see `hime.evaluation.scores.evaluate`."""
    tables = {name: evaluate(name, options) for name in options.names}
    if options.json:
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
