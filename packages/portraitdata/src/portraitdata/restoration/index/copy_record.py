"""Record of what reduced copies were made of, line by line, so that those of changed pictures are made again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from faceops.atomic_files import replacing
from faceops.json_text import parse_json

RECORD = ".copies.jsonl"
"""File in the folder of the copies."""


class Origin(NamedTuple):
    """What a copy was made of, and how."""

    side: int
    """Largest shorter side of the copy in pixels."""
    size: int
    """Bytes of the picture's file."""
    written: int
    """Time at which that file, or the archive that it is in, was last written, in nanoseconds."""


class CopyRecord:
    """Origins of copies by the path of the picture.

    Args:
        folder: Folder of the copies, which is made if absent.

    Raises:
        ValueError: If the record cannot be understood.
        OSError: If it cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self.origins: dict[str, Origin] = {}
        if self._path.is_file():
            self._read()
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as temporary:  # without a half line
            temporary.write_text(_lines(self.origins), encoding="utf-8")

    def add(self, origins: Mapping[str, Origin]) -> None:
        """Keep origins of copies that are there now.

        Raises:
            OSError: If they cannot be written.
        """
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_lines(origins))

    def _read(self) -> None:
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
            for line in lines[:-1]:  # what follows the last line break is nothing, or half a line
                path, *origin = parse_json(line)
                self.origins[path] = Origin(*origin)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{self._path} is no record of copies ({error}); delete it and the copies to have them made again."
            ) from error


def _lines(origins: Mapping[str, Origin]) -> str:
    return "".join(json.dumps([path, *origin]) + "\n" for path, origin in origins.items())
