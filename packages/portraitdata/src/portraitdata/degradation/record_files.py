"""Files of records: a line of JSON for each degraded picture, by which it can be degraded again."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from faceops.atomic_files import replacing
from faceops.json_text import parse_json
from portraitdata.degradation.records import DegradationRecord, record_from_dict


@dataclass(frozen=True)
class RecordedPicture:
    """Record of one degraded picture."""

    name: str
    """Path relative to the folder that was degraded, with slashes."""
    top: int
    """First row of the window that was degraded, in pixels of the upright picture."""
    left: int
    """First column of it. Its size is that of the record."""
    record: DegradationRecord


def write_records(pictures: Iterable[RecordedPicture], path: Path) -> None:
    """Write a file of records, in the order of the names."""
    lines = [json.dumps(asdict(picture)) + "\n" for picture in sorted(pictures, key=lambda picture: picture.name)]
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def read_records(path: Path) -> dict[str, RecordedPicture]:
    """Read a file of records, by name; ValueError if a line is no record, which it names. Blank lines do not count."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no file of degradation records ({error}).") from error
    pictures = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = parse_json(line)
            name, top, left = str(content["name"]), int(content["top"]), int(content["left"])
            if top < 0 or left < 0:
                raise ValueError(f"a window begins at row and column 0 or later, got {top} and {left}.")
            pictures[name] = RecordedPicture(name, top, left, record_from_dict(content["record"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}, is no degradation record: {error}") from error
    return pictures
