"""Result of a benchmark: a table to print, to keep as JSON and CSV and to plot, with the paper's figures beside it."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import rich.table
from matplotlib.figure import Figure
from torch import Tensor

from faceops.atomic_files import replacing

Cell = str | int | float

Suite = Literal["quick", "full"]
"""How much is measured: what ten minutes on two cores allow, or all."""


class LeftOutError(Exception):
    """A benchmark that cannot run here; the message completes "It is left out: it ..."."""


@dataclass(frozen=True)
class Published:
    """A table of a paper: other data, other training, other machines."""

    source: str
    """Paper and number of the table, with the data."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """Named columns of measurements; the first column says what a row is about."""

    name: str
    """Name of the files."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    bars: tuple[str, ...] = ()
    """Columns that the plot compares; none for no plot."""
    unit: str = ""
    """What those columns measure."""
    note: str = ""
    """What else is to be said: the data, the limit that a figure is to be compared to, what follows."""
    published: Published | None = None
    """The paper's figures, to be shown beside."""
    logarithmic: bool = True
    """Axis of the plot."""
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    """Sheets by caption, (3, h, w) in [0, 1]."""
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Lines to draw instead of bars, by name; the columns of their points are `axes`."""
    axes: tuple[str, str] = ("", "")


def as_json(table: Table, facts: Mapping[str, str]) -> dict[str, Any]:
    """The measurements and what they depend on, as JSON has it."""
    published = None if table.published is None else vars(table.published)
    plain = {name: value for name, value in vars(table).items() if name not in ("pictures", "published")}
    return {"machine": dict(facts), **plain, "published": published, "pictures": list(table.pictures)}


def printed(table: Table) -> rich.table.Table:
    """Table for the terminal."""
    out = rich.table.Table(title=table.title)
    for column in table.columns:
        out.add_column(column, justify="right", overflow="fold")
    for row in table.rows:
        out.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
    return out


def write_csv(table: Table, path: Path) -> None:
    """Write the rows under their columns."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([table.columns, *table.rows])


def plot(table: Table, facts: Mapping[str, str], path: Path) -> None:
    """Draw the curves, or the compared columns as groups of bars; nothing if there are neither."""
    if not table.curves and not table.bars:
        return
    rows = [row for row in table.rows if any(isinstance(row[table.columns.index(bar)], float) for bar in table.bars)]
    figure = Figure(figsize=(7.0 if table.curves else 1.5 + 1.6 * len(rows), 4), layout="constrained")
    axes = figure.subplots()
    if table.curves:
        for name, points in table.curves.items():
            axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 12 else None)
        axes.set(xlabel=table.axes[0], ylabel=table.axes[1])
    else:
        _bars(axes, table, rows)
    axes.set_title(f"{table.title}\n{facts['CPU']}, threads: {facts['threads']}", fontsize=9, wrap=True)
    axes.legend(fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _bars(axes: Any, table: Table, rows: Sequence[tuple[Cell, ...]]) -> None:
    width = 0.8 / len(table.bars)
    for i, column in enumerate(table.bars):
        values = [row[table.columns.index(column)] for row in rows]
        heights = [value if isinstance(value, int | float) else float("nan") for value in values]
        places = [place + (i - (len(table.bars) - 1) / 2) * width for place in range(len(rows))]
        axes.bar_label(axes.bar(places, heights, width, label=column), fmt="{:.3g}", fontsize=8)
    axes.set_xticks(range(len(rows)), [str(row[0]) for row in rows], fontsize=8)
    axes.set_xlabel(table.columns[0])
    axes.set_ylabel(table.unit)
    if table.logarithmic:
        axes.set_yscale("log")
