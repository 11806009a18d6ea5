"""The table of the README: one line for each thing that people come for, taken from the published tables."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NAME = "headlines"

Found = Mapping[str, Any]
"""A published table: name, title, machine, columns, rows."""


class Cells(NamedTuple):
    """Where the figures of a line are."""

    table: str
    column: str
    """Column of the figures, if the ways are rows."""
    ways: tuple[tuple[str, ...] | None, ...]
    """How the rows of bicubic, a public network, ours, and ours with photographs of the person begin; None for none.
    Or, if there is no column, the row and the column of each."""


SMALL = "HIME_rec (small)"


def of_table1(setting: str, peer: str) -> Cells:
    """Headshots with three photographs of the person."""
    ways = (setting, "bicubic", "0"), (setting, peer, "0"), (setting, SMALL, "0"), (setting, SMALL, "3")
    return Cells("hime_table1", "PSNR", ways)


def of_one_day(weights: str) -> Cells:
    """Headshots with one photograph that is aligned; no public network was asked."""
    return Cells("exemplar_alignment", "", ((weights, "bicubic"), None, (weights, "no exemplar"), (weights, "aligned")))


def of_damage(damage: str, column: str) -> Cells:
    """Portraits of 512 pixels, damaged at a quarter of the side; nobody has photographs of the person."""
    size = f"{damage} x4, 512 px"
    return Cells("restorer_damage", column, ((size, "bicubic"), (size, "Real-ESRGAN x4plus"), (size, "ours"), None))


def of_references(column: str) -> Cells:
    """Faces with a reference of another expression; no public network was asked."""
    kind = "another expression, mild x4, 512 px"
    return Cells(
        "restorer_references",
        column,
        ((kind, "bicubic"), None, (kind, "ours, no reference"), (kind, "ours, with reference")),
    )


LINES: dict[str, Cells] = {
    "headshots of LFW, 16 to 128 px: PSNR": of_table1("(16, 8)", "RLFN twice"),
    "headshots of LFW, 32 to 128 px: PSNR": of_table1("(32, 4)", "RLFN"),
    "one photograph of the same day, 16 to 128 px: PSNR": of_one_day("small-x8"),
    "one photograph of the same day, 32 to 128 px: PSNR": of_one_day("small-x4"),
    "clean portraits, 128 to 512 px: PSNR": of_damage("clean", "PSNR"),
    "JPEG 35: PSNR": of_damage("JPEG 35", "PSNR"),
    "JPEG 35: distance of VGG-16 (HED)": of_damage("JPEG 35", "VGG-16 (HED) distance"),
    "damaged as by Real-ESRGAN: PSNR": of_damage("realesrgan", "PSNR"),
    "damaged as by Real-ESRGAN: distance of VGG-16 (HED)": of_damage("realesrgan", "VGG-16 (HED) distance"),
    "damaged as by Real-ESRGAN: likeness": of_damage("realesrgan", "ID EdgeFace-XS"),
    "mildly damaged, another expression as reference: PSNR of the face": of_references("face PSNR"),
    "mildly damaged, another expression as reference: likeness": of_references("ID EdgeFace-XS"),
}

COLUMNS = (
    "people who were not trained on",
    "bicubic",
    "a public network",
    "ours",
    "with photographs of the person",
)


def sources() -> set[str]:
    """Names of the tables that the lines are from."""
    return {cells.table for cells in LINES.values()}


def headlines(tables: Mapping[str, Found]) -> dict[str, Any]:
    """The table, from the published ones by name.

    Raises:
        ValueError: If a table has not what a line wants.
    """
    rows = [[line, *(figure(tables[cells.table], cells, way) for way in cells.ways)] for line, cells in LINES.items()]
    title = "Quality, PSNR in dB; the likeness is by a network that no loss saw"
    machine = tables["hime_table1"]["machine"]
    return {"name": NAME, "title": title, "machine": machine, "columns": list(COLUMNS), "rows": rows, "note": ""}


def figure(table: Found, cells: Cells, way: tuple[str, ...] | None) -> float | str:
    """A cell; empty where nobody was asked."""
    if way is None:
        return ""
    begins, column = (way, cells.column) if cells.column else (way[:1], way[1])
    rows: list[Sequence[Any]] = [row for row in table["rows"] if tuple(row[: len(begins)]) == begins]
    if len(rows) != 1 or column not in table["columns"]:
        raise ValueError(f"The table {table['name']} has no single row {', '.join(begins)} with a column {column}.")
    value: float | str = rows[0][table["columns"].index(column)]
    return value
