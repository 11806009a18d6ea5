"""Time that photographs take, learned from those that were restored."""

import math
from collections import deque
from dataclasses import dataclass, field

from headsup.serving.photo_job import PhotoJob

REMEMBERED = 50
"""Photographs whose times are kept."""


@dataclass(frozen=True)
class Timing:
    """Time that a photograph took."""

    weights: str | None
    has_references: bool
    pixels: int
    """Of the result."""
    seconds: float


@dataclass
class Pace:
    """Estimate of the time that a photograph takes: that of the one most like it, in proportion to the pixels.

    Example:
        >>> pace = Pace()
        >>> pace.learn(Timing("guided", False, 1_000_000, 10.0))
        >>> pace.seconds("guided", False, 2_000_000), pace.seconds("tiny", False, 2_000_000)
        (20.0, None)
    """

    timings: deque[Timing] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def learn(self, timing: Timing) -> None:
        """Remember a time."""
        self.timings.appendleft(timing)

    def seconds(self, weights: str | None, has_references: bool, pixels: int) -> float | None:
        """Seconds that a result takes; None if nothing like it was made yet. Of two as like it the newer counts."""
        alike = [one for one in self.timings if (one.weights, one.has_references) == (weights, has_references)]
        if not alike:
            return None
        nearest = min(alike, key=lambda one: abs(math.log(one.pixels / pixels)))
        return nearest.seconds * pixels / nearest.pixels

    def learn_from(self, job: PhotoJob) -> None:
        """Remember the time of a job that is done."""
        assert job.request is not None
        assert job.outcome is not None
        width, height = job.outcome.size
        self.learn(Timing(job.request.weights, bool(job.references), width * height, job.seconds))

    def seconds_of(self, job: PhotoJob) -> float | None:
        """Seconds that a job takes which was started; None if nobody knows."""
        assert job.request is not None
        assert job.photo is not None
        height, width = job.request.options.target(job.photo.height, job.photo.width)
        return self.seconds(job.request.weights, bool(job.references), width * height)
