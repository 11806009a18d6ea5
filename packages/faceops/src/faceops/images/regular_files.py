"""Files that can be read to their end: a pipe, socket or device may have none and would be waited for."""

import stat
from pathlib import Path

from faceops.images.errors import MissingImageError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What else may be under a name."""


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, before it is opened.

    Raises:
        MissingImageError: If nothing is there, or something else.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError as error:
        raise MissingImageError(f"There is no file {path}.") from error
    if kind != stat.S_IFREG:
        raise MissingImageError(f"{path} is {KINDS.get(kind, 'no regular file')}, an image file was wanted.")
