"""Tags that a run has found so far, line by line: a run that was killed goes on after the last whole line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from faceops.atomic_files import replacing
from faceops.json_text import parse_json

JOURNAL = ".tags.jsonl"
"""File in the folder of an index until the tags are in its table."""


class TagJournal:
    """Tags of photographs by uid.

    Args:
        path: File; what is in it is taken over, but for a last line that is not whole.
        tagger: Name of who finds the tags.

    Raises:
        ValueError: If the file holds tags of another tagger, or something else.
        OSError: If it cannot be read or written.
    """

    def __init__(self, path: Path, tagger: str) -> None:
        self.path = path
        self.found: dict[str, list[str]] = {}
        if path.is_file():
            self._read(tagger)
        with replacing(path) as temporary:  # without a half line
            temporary.write_text(json.dumps({"tagger": tagger}) + "\n" + _lines(self.found), encoding="utf-8")

    def add(self, found: Mapping[str, Sequence[str]]) -> None:
        """Keep tags.

        Raises:
            OSError: If they cannot be written.
        """
        self.found |= {uid: list(tags) for uid, tags in found.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_lines(found))

    def _read(self, tagger: str) -> None:
        head, *lines = self.path.read_text(encoding="utf-8").split("\n")
        try:
            earlier = parse_json(head)["tagger"] if lines else tagger
            for line in lines[:-1]:  # what follows the last line break is nothing, or half a line
                row = parse_json(line)
                self.found[row["uid"]] = row["tags"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} holds no tags of a run that did not end ({error}); delete it, and the photographs are "
                "tagged anew."
            ) from error
        if earlier != tagger:
            raise ValueError(
                f"{self.path} holds tags that {earlier} has found in a run that did not end; continue with it, or "
                "delete the file."
            )


def _lines(found: Mapping[str, Sequence[str]]) -> str:
    return "".join(json.dumps({"uid": uid, "tags": list(tags)}) + "\n" for uid, tags in found.items())
