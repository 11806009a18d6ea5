"""A progress bar for work that takes minutes."""

from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def with_bar(items: Iterable[Item], words: str, total: int | None = None) -> Iterable[Item]:
    """The items; on a terminal with a bar on stderr that goes when they are done.

    Args:
        words: What stands before the bar.
        total: Number of items, if they do not tell it.

    Example:
        >>> list(with_bar("ab", "Reading"))
        ['a', 'b']
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, words, total, console=console, transient=True, disable=not console.is_terminal)
