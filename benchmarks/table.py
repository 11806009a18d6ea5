"""Result of a benchmark: a table to print, to keep as JSON and to plot."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import rich.table
from matplotlib.figure import Figure

from faceops.atomic_files import replacing

Cell = str | int | float


@dataclass(frozen=True)
class Table:
    """Named columns of measurements; the first column says what a row is about."""

    name: str
    """Name of the files."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    bars: tuple[str, ...]
    """Columns that the plot compares."""
    unit: str
    """What those columns measure."""


def printed(table: Table) -> rich.table.Table:
    """Table for the terminal."""
    out = rich.table.Table(title=table.title)
    for column in table.columns:
        out.add_column(column, justify="right", overflow="fold")
    for row in table.rows:
        out.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
    return out


def write_json(table: Table, facts: dict[str, str], path: Path) -> None:
    """Write the measurements and the machine they are from."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"machine": facts, **asdict(table)}, indent=2) + "\n")


def plot(table: Table, facts: dict[str, str], path: Path) -> None:
    """Draw the compared columns as groups of bars, on a logarithmic axis."""
    figure = Figure(figsize=(1.5 + 1.6 * len(table.rows), 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(table.bars)
    for i, column in enumerate(table.bars):
        heights = [row[table.columns.index(column)] for row in table.rows]
        places = [place + (i - (len(table.bars) - 1) / 2) * width for place in range(len(table.rows))]
        axes.bar_label(axes.bar(places, heights, width, label=column), fmt="{:.3g}", fontsize=8)
    axes.set_xticks(range(len(table.rows)), [str(row[0]) for row in table.rows])
    axes.set_xlabel(table.columns[0])
    axes.set_ylabel(table.unit)
    axes.set_yscale("log")
    axes.set_title(f"{table.title}\n{facts['CPU']}, threads: {facts['threads']}", fontsize=9)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
