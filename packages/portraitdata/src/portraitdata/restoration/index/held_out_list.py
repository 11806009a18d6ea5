"""A fixed list of photographs to test on, in place of a drawn split."""

from collections.abc import Sequence

from portraitdata.exemplars.index import Split


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
