"""Figures of README, docs and model cards, which are written by `python -m benchmarks --publish` and by nobody else.

A document has a table between two comments, ``<!-- results: NAME -->`` and ``<!-- end of results -->``; the first may
choose columns, ``<!-- results: NAME: bicubic, aligned -->``, beside the first one, which is always there. A single
number in a sentence stands between ``<!-- figure: NAME: ROW: COLUMN -->`` and ``<!-- end of figure -->``; with
``machine`` as ROW it is what the measurement depends on, ``<!-- figure: NAME: machine: CPU -->``. The figures are kept
in docs/results/, so that a test can compare them. A measured picture takes the place of the one in docs/images/ that
has its name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.reporting.headlines import NAME, Found, headlines, sources
from benchmarks.reporting.results import Outcome
from benchmarks.reporting.wording import markdown_table, shown
from faceops.atomic_files import replacing

ROOT = Path(__file__).parents[2]

KEPT = Path("docs/results")
"""Folder of the published figures, from the root."""

BLOCK = re.compile(
    r"(?P<start><!-- results: (?P<name>\w+)(?:: (?P<columns>[^>]*?))? -->\n).*?(?P<end><!-- end of results -->)",
    re.DOTALL,
)

FIGURE = re.compile(
    r"(?P<start><!-- figure: (?P<name>\w+): (?P<row>[^:>]+): (?P<column>[^:>]+) -->)[^<]*"
    r"(?P<end><!-- end of figure -->)"
)

IMAGES = Path("docs/images")
"""Folder of the published pictures, from the root."""

NOTHING: Mapping[str, Found] = {}
"""Of tables that were measured anew."""

MACHINE = "machine"
"""Row of a figure that is no measurement, but what it depends on."""


def documents(root: Path) -> list[Path]:
    """README, docs, the packages' READMEs and the model cards."""
    patterns = "docs/*.md", "packages/*/README.md", "packages/*/src/*/weights/*.md"
    return [root / "README.md", *(path for pattern in patterns for path in sorted(root.glob(pattern)))]


def publish(results: Mapping[str, Outcome], root: Path, folder: Path) -> Iterator[Path]:
    """Keep the measured tables that documents show, and write them there; nothing where anything is missing.

    Args:
        results: What has been measured; only what the full suite did is published.
        root: Folder of the project.
        folder: Where the measured pictures lie.

    Yields:
        The documents and pictures that have changed.

    Raises:
        ValueError: If a document wants what has neither been measured nor published before, or has no such row or
            column.
        OSError: If a measured picture of a published one's name is not in the folder.
    """
    whole = [outcome for outcome in results.values() if outcome.suite == "full"]
    tables = {table["name"]: table for outcome in whole for table in outcome.tables}
    texts = {document: document.read_text() for document in documents(root)}
    shown = {name for text in texts.values() for name in names_in(text)}
    measured = {name: tables[name] for name in shown & tables.keys()}
    if NAME in shown:
        measured[NAME] = headlines({name: _found(name, root, measured) for name in sources()})
    filled = {document: filled_in(text, root, measured) for document, text in texts.items()}
    files = {picture["file"] for table in tables.values() for picture in table["pictures"]}
    published = [root / IMAGES / file for file in sorted(files) if (root / IMAGES / file).is_file()]
    pictures = {path: (folder / path.name).read_bytes() for path in published}
    for table in measured.values():
        keep(table, root)
    for document, text in filled.items():
        if text != texts[document]:
            with replacing(document) as temporary:
                temporary.write_text(text)
            yield document
    for path, picture in pictures.items():
        if path.read_bytes() != picture:
            with replacing(path) as temporary:
                temporary.write_bytes(picture)
            yield path


def of_quick_suite(results: Mapping[str, Outcome], root: Path) -> list[str]:
    """Benchmarks whose tables documents show, and which are not published because the quick suite measured them."""
    shown = {name for document in documents(root) for name in names_in(document.read_text())}
    return [
        benchmark
        for benchmark, outcome in results.items()
        if outcome.suite != "full" and any(table["name"] in shown for table in outcome.tables)
    ]


def names_in(text: str) -> list[str]:
    """Tables of which a document shows anything, each once."""
    return list(dict.fromkeys(found["name"] for form in (BLOCK, FIGURE) for found in form.finditer(text)))


def keep(table: Found, root: Path) -> None:
    """Write the figures of a table, and what they depend on, to the folder of published results."""
    (root / KEPT).mkdir(parents=True, exist_ok=True)
    chosen = {name: table[name] for name in ("name", "title", "machine", "columns", "rows", "note")}
    with replacing(root / KEPT / f"{table['name']}.json") as temporary:
        temporary.write_text(json.dumps(chosen, indent=1) + "\n")


def filled_in(text: str, root: Path, measured: Mapping[str, Found] = NOTHING) -> str:
    """A document with the published figures in its tables and sentences.

    Args:
        measured: Tables that take the place of published ones, by name.

    Raises:
        ValueError: If a table is not published, or has no such row or column.
    """

    def table(block: re.Match[str]) -> str:
        return block["start"] + _table(_found(block["name"], root, measured), block["columns"]) + block["end"]

    def figure(asked: re.Match[str]) -> str:
        source = _found(asked["name"], root, measured)
        return asked["start"] + _figure(source, asked["row"], asked["column"]) + asked["end"]

    return FIGURE.sub(figure, BLOCK.sub(table, text))


def _found(name: str, root: Path, measured: Mapping[str, Found]) -> Found:
    """A table that was measured, else the published one."""
    if name in measured:
        return measured[name]
    path = root / KEPT / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"{path} is not there: measure it with `python -m benchmarks`, and then --publish.")
    table: Found = json.loads(path.read_text())
    return table


def _table(table: Found, wanted: str | None) -> str:
    """What was measured in all, then the chosen columns."""
    columns = table["columns"]
    chosen = columns if wanted is None else [columns[0], *(column.strip() for column in wanted.split(","))]
    places = [_place(table, column) for column in chosen]
    grid = markdown_table(chosen, [[row[place] for place in places] for row in table["rows"]])
    return f"*{table['title']}:*\n\n{grid}\n"


def _figure(table: Found, row: str, column: str) -> str:
    if row == MACHINE:
        if column not in table["machine"]:
            raise ValueError(f"The table {table['name']} says nothing of {column}, but {', '.join(table['machine'])}.")
        return str(table["machine"][column])
    rows = {str(each[0]): each for each in table["rows"]}
    if row not in rows:
        raise ValueError(f"The table {table['name']} has no row {row}; it has {'; '.join(rows)}.")
    return shown(rows[row][_place(table, column)])


def _place(table: Found, column: str) -> int:
    columns: list[str] = table["columns"]
    if column not in columns:
        raise ValueError(f"The table {table['name']} has no column {column}; it has {', '.join(columns)}.")
    return columns.index(column)
