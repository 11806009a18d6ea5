"""Summary of an index in numbers."""

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, get_args

from portraitdata.exemplars.index import ExemplarIndex, Split, identity_counts

if TYPE_CHECKING:
    from rich.table import Table


def spread(numbers: Sequence[int]) -> str:
    """Smallest, middle and largest of some numbers.

    Example:
        >>> spread([4, 9, 5])
        '4 / 5 / 9'
    """
    return f"{min(numbers)} / {median(numbers):g} / {max(numbers)}"


def summary_table(index: ExemplarIndex, title: str) -> "Table":
    """Photographs, people, photographs of a person and shorter sides in pixels, for each split."""
    from rich.table import Table

    split = "given" if index.seed is None else f"drawn with seed {index.seed}"
    table = Table(title=title, caption=f"{index.source}, split {split}. {index.note}".strip())
    for column in ("split", "photographs", "people", "photographs each", "shorter side"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for part in get_args(Split):
        rows = index.select(part).photographs
        if rows:
            counts = list(identity_counts(rows).values())
            sides = [min(row.width, row.height) for row in rows]
            table.add_row(part, f"{len(rows):,}", f"{len(counts):,}", spread(counts), spread(sides))
    return table
