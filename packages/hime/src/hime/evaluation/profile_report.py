"""``hime profile``: the size of a network beside Table 1 of the paper."""

import json
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from hime.evaluation.profile import profile_network
from hime.variants import TABLE_1, TableRow, Variant, build_variant
from hime.weights.files import load_network


@dataclass(frozen=True)
class ProfileReport:
    """A profile and what it is of; counts, not millions."""

    variant: str
    """Size, or the weights that were counted."""
    scale: int
    lr_size: int
    references: int
    parameters: int
    macs: int
    macs_by_part: dict[str, int]
    paper_parameters_in_millions: float | None
    """Table 1; None where it has no such row."""
    paper_gmacs: float | None


def report_profile(
    variant: Variant, scale: int, lr_size: int, references: int, weights: str | None = None
) -> ProfileReport:
    """Profile a variant, or the network of a weights file.

    Raises:
        ValueError: If the weights cannot be loaded.
        OSError: If their file cannot be read.
    """
    network = build_variant(variant, scale) if weights is None else load_network(weights)
    counted = profile_network(network, lr_size, references)
    paper: TableRow | None = None
    if weights is None and references == 3:
        paper = TABLE_1.get((variant, lr_size, scale))
    return ProfileReport(
        variant if weights is None else weights,
        network.scale,
        lr_size,
        references,
        counted.parameters,
        counted.macs,
        counted.macs_by_part,
        None if paper is None else paper.parameters,
        None if paper is None else paper.macs,
    )


def print_profile(report: ProfileReport, as_json: bool) -> None:
    """Print a report as JSON or as a table."""
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    table = Table(
        title=f"HIME {report.variant}, x{report.scale}, input {report.lr_size} px, {report.references} references"
    )
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("paper, Table 1", justify="right")
    paper = report.paper_parameters_in_millions, report.paper_gmacs
    shown = ["" if value is None else f"{value:.2f}" for value in paper]
    table.add_row("parameters, millions", f"{report.parameters / 1e6:.3f}", shown[0])
    table.add_row("MACs, thousand millions", f"{report.macs / 1e9:.3f}", shown[1])
    for part, macs in report.macs_by_part.items():
        table.add_row(f"  {part}", f"{macs / 1e9:.3f}", "")
    Console().print(table)
