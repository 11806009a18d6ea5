"""Showing how far a command has come: a bar with the time left on a terminal, elsewhere a line every ten seconds."""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from faceops.progress.tracker import CURRENT, Tracker, parts
from faceops.progress.verbosity import VERBOSITY, Verbosity

if TYPE_CHECKING:
    from rich.console import RenderableType

Item = TypeVar("Item")

INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""

REFRESHES = 4
"""Times a second that the bar is drawn."""


@contextmanager
def shown(words: str) -> Iterator[None]:
    """Show on stderr how far a block has come, unless the command is quiet or is shown already.

    Args:
        words: What the block does, such as Restoring.
    """
    if CURRENT.get() is not None or VERBOSITY.get() is Verbosity.QUIET:
        yield
        return
    tracker = Tracker(words)
    CURRENT.set(tracker)
    try:
        with _bar(tracker) if sys.stderr.isatty() else _lines(tracker):
            yield
    finally:
        CURRENT.set(None)


def tracked(items: Iterable[Item], words: str, total: int | None = None) -> Iterator[Item]:
    """The items, and how many are done is shown.

    Args:
        words: What is done with them.
        total: Number of items, if they do not tell it.

    Example:
        >>> list(tracked("ab", "Reading"))
        ['a', 'b']
    """
    with shown(words):
        yield from parts(items, "number", total)


class Bar:
    """A bar with words beside it, drawn anew from a tracker each time."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __rich__(self) -> "RenderableType":
        """What rich draws."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done = self.tracker.done
        table = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=done or 0.0, pulse=done is None, width=30)
        table.add_row(bar, Text(self.tracker.sentence(), no_wrap=True, overflow="ellipsis"))
        return table


@contextmanager
def _bar(tracker: Tracker) -> Iterator[None]:
    # takes longer to import than a file that is missing takes to be refused
    from rich.console import Console
    from rich.live import Live

    # rich would print on stderr, where the bar is, what is meant for the file or program that stdout leads to
    shared = sys.stdout.isatty()
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
    with Live(Bar(tracker), console=console, refresh_per_second=REFRESHES, transient=True, redirect_stdout=shared):
        yield


@contextmanager
def _lines(tracker: Tracker) -> Iterator[None]:
    ended, stream = threading.Event(), sys.stderr

    def print_lines() -> None:
        while not ended.wait(INTERVAL):
            print(tracker.sentence(), file=stream, flush=True)

    thread = threading.Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
