"""First stage: what the metadata or the header of a file decide."""

import io
from pathlib import Path

from faceops.images.decoding import open_header, upright_size
from faceops.images.errors import ImageFileError
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.marking import Drop, Takedown, drop, kept_rows, unreadable
from portraitdata.builder.stages.size_rule import fits, may_fit

WRONG_SIZE = "size or aspect"
OPTED_OUT = "opted out"
UNSAFE = "not safe for work"
LISTED_TWICE = "listed twice"


class Index:
    """Drops what was withdrawn, opted out, unsafe, of another size, or is listed twice in a batch.

    Args:
        config: Settings of the build.
    """

    name: StageName = "index"
    at_once: int | None = None
    """Rows of a batch; None for a whole partition."""

    def __init__(self, config: BuildConfig) -> None:
        self._rule, self._unsafe = config.size, config.unsafe_at_most
        self._takedown, self._bytes = Takedown(config), ImageBytes(config)

    def __call__(self, batch: Batch) -> Batch:
        """Mark rows; local files get their size by the header."""
        seen: set[str] = set()
        for row in kept_rows(batch):
            if self._takedown.apply(batch, row, self.name):
                continue
            why = self._why(batch, row, seen)
            if why is not None:
                drop(batch, row, self.name, why)
        return batch

    def _why(self, batch: Batch, row: int, seen: set[str]) -> Drop | None:
        if batch["uid"][row] in seen:
            return Drop(LISTED_TWICE)
        seen.add(batch["uid"][row])
        if batch["opt_out"][row]:
            return Drop(OPTED_OUT)
        unsafe = batch["unsafe"][row]
        if unsafe is not None and unsafe > self._unsafe:
            return Drop(UNSAFE, f"The metadata give it a probability of {unsafe:.2f}.")
        if batch["url"][row] is not None:
            return self._listed(batch, row)
        try:
            width, height = self._header_size(batch, row)
        except (ImageFileError, OSError) as error:
            return unreadable(error)
        batch["width"][row], batch["height"][row] = width, height
        return None if fits(width, height, self._rule) else wrong_size(width, height)

    def _listed(self, batch: Batch, row: int) -> Drop | None:
        if not batch["url"][row]:
            return Drop("no URL")
        width, height = batch["listed_width"][row], batch["listed_height"][row]
        if width is None or height is None or may_fit(width, height, self._rule):
            return None
        return wrong_size(width, height)

    def _header_size(self, batch: Batch, row: int) -> tuple[int, int]:
        if batch["archive"][row] is not None:
            return upright_size(open_header(io.BytesIO(self._bytes.read(batch, row)), batch["path"][row]))
        path = Path(self._bytes.root(batch, row)) / batch["path"][row]
        with path.open("rb") as file:
            return upright_size(open_header(file, batch["path"][row]))


def wrong_size(width: int, height: int) -> Drop:
    """Why an image of another size is dropped.

    Example:
        >>> wrong_size(1000, 500).detail
        '1000 x 500 pixels, width / height 2.00'
    """
    return Drop(WRONG_SIZE, f"{width} x {height} pixels, width / height {width / max(height, 1):.2f}")
