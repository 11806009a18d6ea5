"""Marks for dropped rows, and the names of the reasons."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceops.images.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageFileError,
    MissingImageError,
    NotAnImageError,
    TooLargeImageError,
    UnsupportedImageError,
)
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.layout import DROPPED, KEPT, TAKEDOWN_FILE
from portraitdata.loading.changed_files import ChangedFileError
from portraitdata.storage.places import Place

TAKEN_DOWN = "taken down"

HASH = re.compile("[0-9a-fA-F]{16}|[0-9a-fA-F]{64}")
"""A uid or a SHA-256, which candidates have in lower case."""
NAMED_BY = "uid", "sha256", "url", "path"
"""Columns by which a list of images to take down names them."""


class Drop(NamedTuple):
    """Why a row is dropped."""

    reason: str
    """In the same words for all rows alike."""
    detail: str = ""
    """The sentence about this one."""


def drop(batch: Batch, row: int, stage: StageName, why: Drop) -> None:
    """Mark a row as dropped.

    Example:
        >>> batch = {"status": ["kept"], "stage": [""], "reason": [""], "detail": [""]}
        >>> drop(batch, 0, "faces", Drop("no face"))
        >>> batch
        {'status': ['dropped'], 'stage': ['faces'], 'reason': ['no face'], 'detail': ['']}
    """
    batch["status"][row], batch["stage"][row] = DROPPED, stage
    batch["reason"][row], batch["detail"][row] = why


def kept_rows(batch: Batch) -> list[int]:
    """Rows that nothing has dropped yet."""
    return [row for row, status in enumerate(batch["status"]) if status == KEPT]


def unreadable(error: Exception) -> Drop:
    """Why an image that cannot be read is dropped.

    Example:
        >>> unreadable(EmptyImageError("a.jpg is empty, an image was wanted.")).reason
        'empty file'
    """
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (EmptyImageError, "empty file"),
        (NotAnImageError, "no image"),
        (DamagedImageError, "damaged"),
        (TooLargeImageError, "announces too many pixels"),
        (UnsupportedImageError, "pixels of an unknown kind"),
        (MissingImageError, "missing file"),
        (FileNotFoundError, "missing file"),
    )
    return Drop(next((reason for kind, reason in reasons if isinstance(error, kind)), "unreadable"), str(error))


def drop_where(batch: Batch, stage: StageName, files: ImageBytes, why: Callable[[int], Drop | None]) -> None:
    """Drop the kept rows for which there is a reason, and those whose files are damaged or gone.

    What is out of reach for a while is not dropped for good: it ends the run, and the next one reads it.

    Raises:
        OSError: If the place that a file is in cannot be reached.
    """
    for row in kept_rows(batch):
        try:
            reason = why(row)
        except (ImageFileError, ChangedFileError) as error:
            reason = unreadable(error)
        except FileNotFoundError as error:
            files.check_place(batch, row)
            reason = unreadable(error)
        if reason is not None:
            drop(batch, row, stage, reason)


class Takedown:
    """Images that have to go: uids, SHA-256s, URLs and paths, one a line; empty lines and ``# remarks`` do not count.

    Lists are text in UTF-8; a byte order mark is skipped. The case of hexadecimal digits does not count.

    Args:
        config: Whose list, and that in the build itself, are read.

    Raises:
        FileNotFoundError: If the configuration names a list that is not there.
        ValueError: If a list is no text in UTF-8.
    """

    def __init__(self, config: BuildConfig) -> None:
        if config.takedown is not None and not config.takedown.is_file():
            raise FileNotFoundError(f"There is no list of images to take down {config.takedown}.")
        self._names: set[str] = set()
        for path in (config.takedown, config.output / TAKEDOWN_FILE):
            if path is not None and path.is_file():
                self._names |= _listed(path)

    def names(self, batch: Batch, row: int) -> bool:
        """Tell whether a row has to go."""
        known = (batch[name][row] for name in NAMED_BY)
        return bool(self._names) and any(value in self._names for value in known if value)

    def listed(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Tell which rows have to go: a table with uid, sha256, url, path and takedown."""
        doomed = np.asarray(rows["takedown"])
        for column in NAMED_BY if self._names else ():
            doomed = doomed | np.asarray(pc.is_in(rows[column], pa.array(sorted(self._names), pa.string())))
        return doomed

    def apply(self, batch: Batch, row: int, stage: StageName) -> bool:
        """Drop a row if it has to go; whether it had."""
        if batch["takedown"][row] or self.names(batch, row):
            batch["takedown"][row] = True
            drop(batch, row, stage, Drop(TAKEN_DOWN))
            return True
        return False


def _listed(path: Place) -> set[str]:
    # as bytes, since files of this machine would be read in its locale; spreadsheets write a byte order mark
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no list of images to take down in UTF-8 ({error}); save it as UTF-8.") from error
    lines = (line.split("#")[0].strip() if line.startswith("#") else line.strip() for line in text.splitlines())
    return {line.lower() if HASH.fullmatch(line) else line for line in lines if line}
