"""The table of the README is that of the pages."""

import json

import pytest

from benchmarks.reporting.documents import KEPT, ROOT
from benchmarks.reporting.headlines import LINES, NAME, Cells, figure, headlines, sources


def test_the_lines_are_cells_of_published_tables() -> None:
    tables = {name: json.loads((ROOT / KEPT / f"{name}.json").read_text()) for name in sources()}
    kept = json.loads((ROOT / KEPT / f"{NAME}.json").read_text())
    assert kept["rows"] == headlines(tables)["rows"]
    assert [row[0] for row in kept["rows"]] == list(LINES)


TABLE = {"name": "t", "columns": ["way", "n", "dB"], "rows": [["a", "0", 1.0], ["a", "3", 2.0], ["b", "0", 3.0]]}


@pytest.mark.parametrize(
    ("column", "way", "value"), [("dB", ("a", "3"), 2.0), ("dB", ("b",), 3.0), ("", ("b", "n"), "0"), ("dB", None, "")]
)
def test_a_cell_is_found_by_how_its_row_begins(column: str, way: tuple[str, ...] | None, value: float | str) -> None:
    assert figure(TABLE, Cells("t", column, ()), way) == value


@pytest.mark.parametrize("way", [("a",), ("c",)])
def test_a_cell_must_be_one(way: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="The table t has no single row"):
        figure(TABLE, Cells("t", "dB", ()), way)
