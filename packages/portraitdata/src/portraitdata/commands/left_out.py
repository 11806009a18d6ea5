"""What a command has left out, said on stderr."""

import sys
from collections.abc import Sequence

NAMED = 20
"""What is named one by one."""


def print_left_out(reasons: Sequence[str], what: str) -> None:
    """Name the first ones and count the rest.

    Args:
        reasons: A sentence for each.
        what: What they are, in the plural.
    """
    for reason in reasons[:NAMED]:
        print(f"left out: {reason}", file=sys.stderr)
    if len(reasons) > NAMED:
        print(f"left out: {len(reasons) - NAMED} more {what}", file=sys.stderr)
