"""``portraitdata verify``: whether a portrait index and its archives are what they say."""

import sys
from pathlib import Path

from portraitdata.builder.checks.verification import verify_index


def run_verify(index: Path, deep: bool = False) -> int:
    """Check an index and print what was checked; every problem is a line on stderr.

    Args:
        index: Folder of the index.
        deep: Decode every photograph, too.

    Returns:
        1 if there is a problem, else 0.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If a table is none of a portrait index.
    """
    found = verify_index(index, deep)
    for line in found.problems:
        print(line, file=sys.stderr)
    for line in found.notes:
        print(f"note: {line}", file=sys.stderr)
    print(
        f"{found.photographs} photographs ({found.size / 1e6:.1f} MB) in {found.archives} archives, "
        f"{found.faces} faces, {found.pairs} pairs"
    )
    if found.largest_cross_similarity is not None:
        print(f"largest similarity of a test face and a training face: {found.largest_cross_similarity:.3f}")
    print(f"{index}: {_verdict(len(found.problems))}")
    return int(bool(found.problems))


def _verdict(problems: int) -> str:
    return f"{problems} problem{'s' if problems > 1 else ''}" if problems else "no problem found"
