"""Names and counts in sentences."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names one after the other; of more than `most` the rest is counted.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
        ('a', 'a, b and c', 'a, b and 2 more')
    """
    shown = list(names) if most is None or len(names) <= most else [*names[:most], f"{len(names) - most} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def counted(number: int, word: str) -> str:
    """A number and a word of regular plural.

    Example:
        >>> counted(1, "picture"), counted(2, "picture")
        ('1 picture', '2 pictures')
    """
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
