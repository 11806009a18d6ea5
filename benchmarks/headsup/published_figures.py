"""Tables 1 to 4 of HeadsUp, all rows, read from the file beside this one."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.reporting.table import Cell, Published

FILE = Path(__file__).with_suffix(".yaml")


@cache
def entries() -> list[dict[str, Any]]:
    """The tables of the file; Table 3 is three of them, one for each test set."""
    read: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return read


def published_table(number: int, data: str | None = None) -> Published:
    """A table of the paper.

    Args:
        number: Of the table, from 1 to 4.
        data: Test set, where the table has several; None for that of its first rows.

    Raises:
        ValueError: If there is no such table.

    Example:
        >>> table = published_table(3, "RealSR")
        >>> table.columns[:3], table.rows[0][:3]
        (('method', 'PSNR', 'SSIM'), ('ResShift-S15', 26.31, 0.741))
    """
    for entry in entries():
        if entry["table"] == number and data in (None, entry["data"]):
            return Published(entry["source"], tuple(entry["columns"]), tuple(map(tuple, entry["rows"])))
    known = ", ".join(f"{entry['table']} of {entry['data']}" for entry in entries())
    raise ValueError(f"HeadsUp has no table {number} of {data}; its tables are {known}.")


def published_rows(*tables: tuple[int, str]) -> Published:
    """Several tables in one, each row with the number of its table; cells are empty where a table lacks the column.

    Args:
        tables: Number and test set of each.

    Raises:
        ValueError: If there is no such table.

    Example:
        >>> both = published_rows((2, "PortraitSR-4K-Te"), (4, "PortraitSR-4K-Te"))
        >>> both.columns[:2], both.rows[0][:3], both.rows[-1][:3], both.rows[-1][-1]
        (('table', 'method'), ('2', 'OSEDiff', 25.19), ('4', '5 both, with reference', 25.64), '')
    """
    found = [published_table(*table) for table in tables]
    numbers = list(dict.fromkeys(column for table in found for column in table.columns[1:]))
    rows: list[tuple[Cell, ...]] = []
    for (number, data), table in zip(tables, found, strict=True):
        label = f"{number}, {data}" if number == 3 else str(number)
        for row in table.rows:
            cells = dict(zip(table.columns[1:], row[1:], strict=True))
            rows.append((label, row[0], *(cells.get(column, "") for column in numbers)))
    return Published("; ".join(table.source for table in found), ("table", "method", *numbers), tuple(rows))
