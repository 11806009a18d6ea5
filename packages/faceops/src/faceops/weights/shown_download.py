"""Downloads of weights as a command shows them: a bar on a terminal, the licence, the file."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from faceops.progress.verbosity import say
from faceops.weights.cache import fetch_weights, find_entry


def fetch_shown(name: str) -> None:
    """Fetch weights into the cache, going on where an earlier download broke off, and print the file.

    Raises:
        MissingWeightsError: If they cannot be fetched.
        DamagedWeightsError: If the file in the cache has another checksum.
    """
    entry = find_entry(name)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(name, total=entry.size)
        path = fetch_weights(entry, lambda there, total: progress.update(bar, completed=there, total=total))
    say(f"licence of these weights: {entry.licence}")
    print(path)
