"""Places by what people write: paths and URLs."""

from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from portraitdata.storage.object_path import CLIENTS, URL, ObjectPath

Place: TypeAlias = ObjectPath | Path
"""A file or folder of this machine, or of a store."""


def place_of(text: str) -> Place:
    """The place that a path or URL names.

    Raises:
        ValueError: If it is a URL of an unknown kind.

    Example:
        >>> place_of("s3://bucket/a"), place_of("file:///data/my%20photos").as_posix(), place_of("a/b").as_posix()
        (ObjectPath('s3://bucket/a'), '/data/my photos', 'a/b')
    """
    if text.startswith("file://"):
        return Path(unquote(text.removeprefix("file://")))
    return ObjectPath(text) if URL.fullmatch(text) else Path(text)


def check_local(folder: Path, command: str) -> None:
    """Refuse a path that was meant as a URL.

    Args:
        command: What wants a folder of this machine.

    Raises:
        ValueError: If it is one.

    Example:
        >>> check_local(Path("s3://bucket/shards"), "verify")
        Traceback (most recent call last):
        ...
        ValueError: verify works on a folder of this machine; copy s3://bucket/shards here first.
    """
    # pathlib takes one of the two slashes away
    kind, colon, _ = folder.as_posix().partition(":/")
    if colon and kind in CLIENTS:
        url = folder.as_posix().replace(":/", "://", 1)
        raise ValueError(f"{command} works on a folder of this machine; copy {url} here first.")


def read_range(place: Place, start: int, size: int) -> bytes:
    """Some bytes of a file, fewer where it ends."""
    if isinstance(place, ObjectPath):
        return place.read_range(start, size)
    with place.open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)


def place_of_url(text: str) -> Place:
    """The place that a URL names.

    Raises:
        ValueError: If it is none, or of an unknown kind.
    """
    if not URL.fullmatch(text):
        raise ValueError(f"A URL was wanted, got {text}.")
    return place_of(text)
