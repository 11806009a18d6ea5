"""A fixed list of photographs to test on, in place of a drawn split."""

from collections.abc import Sequence
from pathlib import Path

from portraitdata.exemplars.index import Split


def read_held_out(path: Path) -> tuple[str, ...]:
    """Paths of photographs from a text file, one a line; empty lines are left out.

    Raises:
        ValueError: If there is no such file, it is no text, or it names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"A list of photographs to test on is a text file with a path a line: {error}.") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise ValueError(f"{path} names no photograph to test on.")
    return names


def held_out_splits(paths: Sequence[str], held_out: Sequence[str]) -> tuple[Split, ...]:
    """The split of every photograph: "test" for what is on the list, "train" for all else.

    Args:
        paths: Of the photographs, relative to the root of the index.

    Raises:
        ValueError: If a photograph of the list is not there.

    Example:
        >>> held_out_splits(["a.jpg", "b.jpg"], ["b.jpg"])
        ('train', 'test')
    """
    listed = set(held_out)
    absent = sorted(listed - set(paths))
    if absent:
        raise ValueError(
            f"{len(absent)} of {len(listed)} photographs to test on are not among the {len(paths)} usable ones, "
            f"as {absent[0]}."
        )
    return tuple("test" if path in listed else "train" for path in paths)
