"""How far a command has come: parts of parts of its work, each a share of the time.

Whatever loops over tiles, pictures or stages says so with `part` and `parts`. That costs nothing where nobody looks: in
a library, in tests, in the threads of a server.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

LEAST_SHARE = 0.02
"""Share of the work that must be done before the time left can be told."""


class Tracker:
    """Share of the work that is done, and what is being done.

    Args:
        words: What the whole is, such as restoring.
        clock: Gives seconds.
    """

    def __init__(self, words: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.words, self.clock = words, clock
        self.details: list[str] = []
        self.done: float | None = None
        """From 0 to 1; None as long as nobody has said anything."""
        self.span = (0.0, 1.0)
        """Where the part that is being done begins and ends."""
        self._start = self._marked = clock()

    def reach(self, done: float) -> None:
        """Note that so much is done; it never becomes less."""
        self.done = max(self.done or 0.0, done)
        self._marked = self.clock()

    def seconds_left(self) -> float | None:
        """Time left, if all goes on as fast as it went; None if too little is done to tell.

        Example:
            >>> times = iter([0.0, 30.0, 40.0])
            >>> tracker = Tracker("restoring", lambda: next(times))
            >>> tracker.reach(0.25)
            >>> tracker.seconds_left()
            80.0
        """
        if self.done is None or self.done < LEAST_SHARE:
            return None
        whole = (self._marked - self._start) / self.done
        return max(0.0, self._start + whole - self.clock())

    def sentence(self) -> str:
        """What is being done, how much is and the time left; the time it takes so far where neither is known."""
        left, taken = self.seconds_left(), int(self.clock() - self._start)
        told = [f"{self.done:.0%}"] if self.done is not None else [f"{taken} s"] if taken else []
        if left is not None and left >= 1:
            told.append(f"about {int(left) // 60}:{int(left) % 60:02} left")
        told += [detail for detail in tuple(self.details) if detail]
        return f"{self.words} ..." + (f" {', '.join(told)}" if told else "")


CURRENT: ContextVar[Tracker | None] = ContextVar("tracker", default=None)
"""Tracker of the command that runs; None if nobody looks."""


@contextmanager
def part(begin: float, end: float, detail: str = "") -> Iterator[None]:
    """Do a part of what is being done.

    Args:
        begin: Share of the whole part that is done before, between 0 and 1.
        end: Share that is done after.
        detail: What it is.
    """
    tracker = CURRENT.get()
    if tracker is None:
        yield
        return
    outer = tracker.span
    first, last = (outer[0] + share * (outer[1] - outer[0]) for share in (begin, end))
    tracker.span = first, last
    tracker.details.append(detail)
    tracker.reach(first)
    try:
        yield
        tracker.reach(last)
    finally:
        tracker.span = outer
        tracker.details.pop()


def parts(
    items: Iterable[Item], name: str = "", total: int | None = None, weights: Sequence[float] | None = None
) -> Iterator[Item]:
    """The items, each a part of what is being done.

    Args:
        name: What an item is, such as tile; nothing is said of them without one.
        total: Number of items, if they do not tell it.
        weights: How long each takes in comparison; alike by default.

    Example:
        >>> list(parts("ab", "tile"))
        ['a', 'b']
    """
    count = total if total is not None else len(items) if isinstance(items, Sized) else None
    shares = [1.0] * (count or 0) if weights is None else weights
    whole, before = sum(shares) or 1.0, 0.0
    for number, item in enumerate(items):
        after = before + (shares[number] if number < len(shares) else 0.0)
        detail = f"{name} {number + 1}" + (f" of {count}" if count else "") if name and count != 1 else ""
        with part(before / whole, after / whole, detail):
            yield item
        before = after
