"""Exemplar files: read once for all inputs, and kept small, as there may be hundreds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.detection.detector import Detector
from faceops.images.decoding import open_header
from faceops.images.errors import TooLargeImageError
from faceops.images.files import load_picture
from faceops.images.memory_budget import DECODING_BYTES, allowed_bytes
from faceops.images.regular_files import check_regular
from hime.upscaling.exemplars import Exemplar

KEPT_BYTES = 3
"""Bytes for each pixel of an exemplar that is kept."""


@dataclass(frozen=True, eq=False)
class ExemplarFile:
    """A photograph of the person and the name of its file."""

    name: str
    exemplar: Exemplar

    @property
    def kept_bytes(self) -> int:
        """Memory that it takes, whatever is done with it."""
        return self.exemplar.samples.nbytes


def read_exemplars(files: Sequence[Path], detector: Detector | None) -> list[ExemplarFile]:
    """Read exemplars, and look for the face of each, once.

    Args:
        files: Image files.
        detector: Finds faces; None if nobody needs them.

    Raises:
        TooLargeImageError: If all together take more memory than they may; nothing is decoded then.
        ImageFileError: If one cannot be read.
    """
    check_sum([pixel_count(file) for file in files])
    return [ExemplarFile(file.name, Exemplar.seen_by(detector, load_picture(file).pixels).in_bytes()) for file in files]


def pixel_count(file: Path) -> int:
    """Pixels of an image file, by its header.

    Raises:
        ImageFileError: If it cannot be read.
    """
    check_regular(file)
    with file.open("rb") as opened:
        width, height = open_header(opened, str(file)).size
    return width * height


def check_sum(pixels: Sequence[int]) -> None:
    """Refuse exemplars that take more memory than they may, all that are kept and the largest while it is decoded.

    Args:
        pixels: Of each.

    Raises:
        TooLargeImageError: If they do.
    """
    most = allowed_bytes()
    needed = KEPT_BYTES * sum(pixels) + DECODING_BYTES * max(pixels, default=0)
    if most is not None and needed > most:
        raise TooLargeImageError(
            f"The {len(pixels)} exemplars have {sum(pixels) / 1e6:.3g} megapixels together, for which "
            f"{needed / 1e9:.2g} GB of memory are needed, and {most / 1e9:.2g} GB may be taken; raise that limit, or "
            "give fewer or smaller exemplars."
        )
