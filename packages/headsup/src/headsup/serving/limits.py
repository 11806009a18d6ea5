"""Limits of the page, and the sentences with which it refuses more."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException

MEGA = 10**6
"""Bytes of what is called a megabyte, and pixels of a megapixel."""


@dataclass(frozen=True)
class Limits:
    """Limits of the page.

    Args:
        megabytes: Size of a file that is sent, in 10^6 bytes.
        megapixels: Pixels of a photograph and of a result, in 10^6.
        references: References of one photograph.
        waiting: Photographs that wait to be restored.
        jobs: Photographs that are kept with their results; those unused for longest are deleted for new ones.
        seconds: Time without use after which a photograph is deleted.
        settled: Likewise after which it may be deleted for new ones; until then those are told to wait.
    """

    megabytes: float = 50.0
    megapixels: float = 25.0
    references: int = 20
    waiting: int = 20
    jobs: int = 20
    seconds: float = 3600.0
    settled: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.megabytes < math.inf and 0 < self.megapixels < math.inf):
            raise ValueError(
                "The largest upload and the most megapixels must be above 0, got "
                f"{self.megabytes:g} and {self.megapixels:g}."
            )

    @property
    def stored_bytes(self) -> float:
        """Bytes of all files that are kept, with results."""
        return self.megabytes * MEGA * self.jobs

    def check_length(self, name: str, length: int) -> None:
        """Refuse, by an HTTPException, a file that has too many bytes."""
        if length > self.megabytes * MEGA:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{name} has {length / MEGA:.1f} MB, and up to {self.megabytes:g} MB are taken; "
                "headsup serve --largest-upload-mb sets the limit.",
            )

    def check_pixels(self, name: str, width: int, height: int) -> None:
        """Refuse likewise a picture that has too many pixels."""
        if width * height > self.megapixels * MEGA:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{name} has {width} x {height} pixels, which is {width * height / MEGA:.1f} megapixels, and up to "
                f"{self.megapixels:g} are taken; headsup serve --largest-megapixels sets the limit.",
            )

    def largest_scale(self, width: int, height: int) -> float:
        """Scale, in tenths, up to which the result of a photograph has no more pixels than are made.

        Example:
            >>> Limits(megapixels=25.0).largest_scale(4000, 3000)
            1.4
        """
        return math.floor((self.megapixels * MEGA / (width * height)) ** 0.5 * 10) / 10

    def check_result(self, width: int, height: int, target: tuple[int, int]) -> None:
        """Refuse likewise a result, of a target width and height, that would have too many pixels."""
        pixels = target[0] * target[1]
        if pixels > self.megapixels * MEGA:
            raise HTTPException(
                HTTPStatus.BAD_REQUEST,
                f"The result would have {target[0]} x {target[1]} pixels, which is {pixels / MEGA:.1f} megapixels, and "
                f"up to {self.megapixels:g} are made: choose a scale of up to {self.largest_scale(width, height):g}.",
            )
