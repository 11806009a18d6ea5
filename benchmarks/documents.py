"""Tables of README and docs, which are written by `python -m benchmarks --publish` and by nobody else.

A document has the table between two comments, ``<!-- results: NAME -->`` and ``<!-- end of results -->``; the first may
choose columns, ``<!-- results: NAME: bicubic, aligned -->``, beside the first one, which is always there. The figures
are kept in docs/results/, so that a test can compare them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import Outcome
from benchmarks.wording import markdown_table
from faceops.atomic_files import replacing

ROOT = Path(__file__).parent.parent

KEPT = Path("docs/results")
"""Folder of the published figures, from the root."""

BLOCK = re.compile(
    r"(?P<start><!-- results: (?P<name>\w+)(?:: (?P<columns>[^>]*?))? -->\n).*?(?P<end><!-- end of results -->)",
    re.DOTALL,
)


def documents(root: Path) -> list[Path]:
    """README and docs."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def publish(results: Mapping[str, Outcome], root: Path) -> Iterator[Path]:
    """Keep the measured tables that documents show, and write them there.

    Args:
        results: What has been measured.
        root: Folder of the project.

    Yields:
        The documents that have changed.

    Raises:
        ValueError: If a document wants what has neither been measured nor published before, or has no such column.
    """
    tables = {table["name"]: table for outcome in results.values() for table in outcome.tables}
    for document in documents(root):
        text = document.read_text()
        for name in dict.fromkeys(block["name"] for block in BLOCK.finditer(text)):
            if name in tables:
                keep(tables[name], root)
        filled = filled_in(text, root)
        if filled != text:
            with replacing(document) as temporary:
                temporary.write_text(filled)
            yield document


def keep(table: Mapping[str, Any], root: Path) -> None:
    """Write the figures of a table, and what they depend on, to the folder of published results."""
    (root / KEPT).mkdir(parents=True, exist_ok=True)
    chosen = {name: table[name] for name in ("name", "title", "machine", "columns", "rows", "note")}
    with replacing(root / KEPT / f"{table['name']}.json") as temporary:
        temporary.write_text(json.dumps(chosen, indent=1) + "\n")


def filled_in(text: str, root: Path) -> str:
    """A document with the published figures in its tables.

    Raises:
        ValueError: If a table is not published, or has no such column.
    """
    return BLOCK.sub(lambda block: block["start"] + _table(block["name"], block["columns"], root) + block["end"], text)


def _table(name: str, wanted: str | None, root: Path) -> str:
    path = root / KEPT / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"{path} is not there: measure it with `python -m benchmarks`, and then --publish.")
    table = json.loads(path.read_text())
    columns = table["columns"]
    chosen = columns if wanted is None else [columns[0], *(column.strip() for column in wanted.split(","))]
    if missing := [column for column in chosen if column not in columns]:
        raise ValueError(f"The table {name} has no column {', '.join(missing)}; it has {', '.join(columns)}.")
    places = [columns.index(column) for column in chosen]
    return markdown_table(chosen, [[row[place] for place in places] for row in table["rows"]]) + "\n"
