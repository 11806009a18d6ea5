"""What a command has left out, said on stderr."""

from collections.abc import Sequence

from faceops.progress.verbosity import say

NAMED = 20
"""What is named one by one."""


def print_left_out(reasons: Sequence[str], what: str) -> None:
    """Name the first ones and count the rest.

    Args:
        reasons: A sentence for each.
        what: What they are, in the plural.
    """
    for reason in reasons[:NAMED]:
        say(f"left out: {reason}")
    if len(reasons) > NAMED:
        say(f"left out: {len(reasons) - NAMED} more {what}")
