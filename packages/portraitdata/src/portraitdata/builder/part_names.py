"""Names of numbered files that sort as their numbers do, however many there are."""

import re

from portraitdata.storage.places import Place

DIGITS = 5
"""Digits of the numbers that need no letter before them."""

UNSORTED = re.compile(rf"part-\d{{{DIGITS + 1},}}\.parquet")
"""Names that earlier versions gave to parts that need a letter."""


def numbered(number: int) -> str:
    """Number as it stands in a name.

    Five digits, as ever; with each digit more a letter goes before them, which sorts after digits and earlier letters.

    Example:
        >>> [numbered(number) for number in (7, 99_999, 100_000, 1_000_000)]
        ['00007', '99999', 'a100000', 'b1000000']
    """
    digits = f"{number:0{DIGITS}d}"
    more = len(digits) - DIGITS
    return f"{chr(ord('a') + more - 1)}{digits}" if more else digits


def refuse_unsorted(folder: Place) -> None:
    """Refuse parts of an earlier version whose names do not sort.

    Raises:
        ValueError: If there is one.
    """
    for path in folder.glob("part-*.parquet"):
        if UNSORTED.fullmatch(path.name):
            raise ValueError(
                f"{path} was written by an earlier version, whose names of more than {10**DIGITS} parts do not sort; "
                "build into a new folder, or go on with that version."
            )
