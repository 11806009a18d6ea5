"""``faceops weights``: which weights there are, where they lie, and how they get there."""

from rich.console import Console
from rich.table import Table

from faceops.progress.verbosity import say, say_failure
from faceops.weights.cache import (
    DamagedWeightsError,
    MissingWeightsError,
    cache_folder,
    cached_path,
    find_entry,
    verify_weights,
)
from faceops.weights.table import WEIGHTS, WeightsEntry


def run_list() -> None:
    """Print the table: name, size, licence, and whether the file is in the cache."""
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("MB", justify="right")
    table.add_column("cached", no_wrap=True)
    table.add_column("licence of the weights", overflow="fold")
    for entry in WEIGHTS:
        table.add_row(entry.name, megabytes(entry.size), state(entry), entry.licence)
    Console().print(table)


def state(entry: WeightsEntry) -> str:
    """Availability of weights: in the cache, to be fetched, or to be brought by hand."""
    if cached_path(entry).is_file():
        return "yes"
    return "no" if entry.url else "no (by hand)"


def megabytes(size: int | None) -> str:
    """Size for the table.

    Example:
        >>> megabytes(1_789_735), megabytes(None)
        ('1.8', '?')
    """
    return "?" if size is None else f"{size / 1e6:.1f}"


def run_verify(name: str | None) -> int:
    """Compare the files in the cache, or one of them, with their checksums.

    Returns:
        Exit status: 1 if one is damaged or, asked by name, missing.
    """
    entries = [find_entry(name)] if name is not None else [e for e in WEIGHTS if cached_path(e).is_file()]
    failures = 0
    for entry in entries:
        try:
            checked = verify_weights(entry)
            print(f"{entry.name}: " + ("right" if checked else "there, but nobody has published its checksum"))
        except (DamagedWeightsError, MissingWeightsError) as error:
            failures += 1
            say_failure(str(error))
    if not entries:
        say(f"There are no weights in {cache_folder()}.")
    return 1 if failures else 0
