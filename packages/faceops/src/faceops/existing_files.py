"""Files and folders that must be there: refused before anything is imported that takes seconds.

For pictures, see `faceops.images.opening.check_opens`.
"""

from pathlib import Path


def check_exists(what: str, *paths: Path | None) -> None:
    """Refuse paths where nothing is.

    Args:
        what: What is wanted, as the sentence calls it.
        paths: Where; None for what nobody asked for.

    Raises:
        FileNotFoundError: If nothing is there.
    """
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"There is no {what} {path}.")
