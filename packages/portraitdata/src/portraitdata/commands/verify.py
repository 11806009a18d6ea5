"""``portraitdata verify``: whether a portrait index and its archives are what they say."""

from faceops.progress.verbosity import say, say_failure
from portraitdata.builder.checks.verification import verify_index
from portraitdata.commands.build_options import VerifyOptions


def run_verify(options: VerifyOptions) -> int:
    """Check an index and print what was checked; every problem is a line on stderr, as soon as it is found.

    Returns:
        1 if there is a problem, else 0.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If a table is none of a portrait index.
    """
    found = verify_index(options.index, options.deep, say_failure)
    for line in found.notes:
        say(f"note: {line}")
    print(
        f"{found.photographs} photographs ({found.size / 1e6:.1f} MB) in {found.archives} archives, "
        f"{found.faces} faces, {found.pairs} pairs"
    )
    if found.largest_cross_similarity is not None:
        print(f"largest similarity of a test face and a training face: {found.largest_cross_similarity:.3f}")
    print(f"{options.index}: {_verdict(len(found.problems))}")
    return int(bool(found.problems))


def _verdict(problems: int) -> str:
    return f"{problems} problem{'s' if problems > 1 else ''}" if problems else "no problem found"
