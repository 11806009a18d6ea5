"""A picture that comes through a pipe, and one that goes into one: ``-`` on the command line."""

import io
import sys
from pathlib import Path

from faceops.images.errors import TooLargeImageError
from faceops.images.memory_budget import allowed_bytes

STANDARD = Path("-")
"""Stands for stdin among the inputs and for stdout as the output."""

STDIN = Path("stdin")
"""What a picture from stdin is called, in place of the name of its file."""

PIECE = 2**20
"""Bytes that are read at a time."""


def check_stdin() -> None:
    """Refuse to wait for a picture that somebody would have to type.

    Raises:
        ValueError: If stdin is a terminal, or closed.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("- is a picture from a pipe, but stdin is a terminal; pipe one in, or name a file.")


def check_stdout(pictures: int) -> None:
    """Refuse to write a picture where nobody could use it.

    Args:
        pictures: How many there are to write.

    Raises:
        ValueError: If there are several, or stdout is a terminal or closed.
    """
    if pictures != 1:
        raise ValueError(f"--output - is for one picture, and there are {pictures}; name a folder.")
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError("--output - writes PNG to a pipe, but stdout is a terminal; pipe it on, or name a file.")


def read_stdin() -> bytes:
    """Bytes of the picture on stdin, to its end.

    Raises:
        TooLargeImageError: If there are more than a picture may take of memory, see
            `faceops.images.memory_budget.memory_budget`.
    """
    most, read = allowed_bytes(), io.BytesIO()
    while piece := sys.stdin.buffer.read(PIECE):
        read.write(piece)
        if most is not None and read.tell() > most:
            raise TooLargeImageError(
                f"{STDIN} has more than {most / 1e9:.2g} GB, which is all the memory that a picture may take; "
                "raise that limit, or give a smaller picture."
            )
    return read.getvalue()


def write_stdout(data: bytes) -> None:
    """Write a picture to stdout."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
