"""What a takedown is about to do, written before it begins, so that one that was interrupted can be finished."""

import json
from pathlib import Path
from typing import NamedTuple

from faceops.atomic_files import replacing
from portraitdata.restoration.index.takedown_list import TakenDown

JOURNAL_FILE = "takedown.pending.json"
"""Name of the journal, in the folder of the index; there only while a takedown is under way or was interrupted."""


class Journal(NamedTuple):
    """One takedown."""

    rows: tuple[TakenDown, ...]
    """Photographs to remove."""
    files: tuple[str, ...]
    """Archives and plain files in the folder of the index that hold them and go once the index no longer uses them."""


def read_journal(folder: Path) -> Journal | None:
    """The takedown that is under way in an index; None if there is none.

    Raises:
        ValueError: If there is another kind of file.
    """
    path = folder / JOURNAL_FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Journal(tuple(TakenDown(**row) for row in stored["rows"]), tuple(stored["files"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no journal of a takedown ({error}).") from error


def write_journal(folder: Path, journal: Journal) -> None:
    """Write the journal, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    stored = {"rows": [row._asdict() for row in journal.rows], "files": journal.files}
    with replacing(folder / JOURNAL_FILE) as temporary:
        temporary.write_text(json.dumps(stored, indent=1), encoding="utf-8")
