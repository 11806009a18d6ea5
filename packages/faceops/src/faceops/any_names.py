"""File names of any bytes on stdout, whatever the encoding of the terminal."""

import codecs
import io
import sys

ANY_NAME = "faceops.any_name"
"""Name of `any_name` among the error handlers of codecs."""


def any_name(error: UnicodeError) -> tuple[bytes | str, int]:
    r"""Write a part of a file name that an encoding lacks: bytes as they are, other characters as Python escapes them.

    Read again, the bytes are what Python makes of them in file names.

    Raises:
        UnicodeError: If it is about neither.

    Example:
        >>> codecs.register_error(ANY_NAME, any_name)
        >>> "Zo\udceb 日.png".encode("cp1252", ANY_NAME), b"Zo\xeb".decode("utf-8", ANY_NAME)
        (b'Zo\xeb \\u65e5.png', 'Zo\udceb')
    """
    if isinstance(error, UnicodeDecodeError):
        return error.object[error.start : error.end].decode("ascii", "surrogateescape"), error.end
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    try:
        return lacking.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return lacking.encode("ascii", "backslashreplace"), error.end


def write_any_name() -> None:
    """Let stdout take every file name there is, whatever the encoding of the terminal."""
    codecs.register_error(ANY_NAME, any_name)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ANY_NAME)
