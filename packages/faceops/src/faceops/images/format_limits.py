"""Limits of the formats that are written, so that they are met before the work and not after it."""

from pathlib import Path

from faceops.images.errors import TooLargeImageError

LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383, ".avif": 32_768}
"""Pixels of the longest side by suffix, of JPEG as libjpeg has it, of AVIF as libavif reads it again; PNG and TIFF hold
whatever is read."""


def check_sides(path: Path, height: int, width: int) -> None:
    """Refuse a picture that has more pixels on a side than the format of its file can say.

    Raises:
        TooLargeImageError: If it has.

    Example:
        >>> check_sides(Path("a.webp"), 100, 16_384)
        Traceback (most recent call last):
        faceops.images.errors.TooLargeImageError: a.webp would have 16384 x 100 pixels, ... .png or .tif instead.
    """
    limit = LONGEST_SIDE.get(path.suffix.lower())
    if limit is not None and max(height, width) > limit:
        raise TooLargeImageError(
            f"{path} would have {width} x {height} pixels, but a side of a {path.suffix.lower()} file has at most "
            f"{limit}; write .png or .tif instead."
        )
