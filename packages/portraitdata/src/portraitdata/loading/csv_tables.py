"""Tables that somebody else has written, as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path


def read_csv_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    r"""Rows of a CSV file in UTF-8 with a header, by column; a byte order mark, as spreadsheets write it, is skipped.

    Args:
        columns: Columns that must be there; further ones may be.

    Raises:
        ValueError: If it is no such text, or a column is missing.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "who.csv"
        >>> _ = path.write_text("file,identity\n1.jpg,ada\n")
        >>> read_csv_table(path, ["file", "identity"])
        [{'file': '1.jpg', 'identity': 'ada'}]
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8 ({error}).") from error
    if not set(columns) <= set(reader.fieldnames or ()):
        raise ValueError(f"{path} needs the columns {' and '.join(columns)}, it has {reader.fieldnames}.")
    return rows
