"""Paths that an environment variable names: NAME=PATH, several with the path separator between them."""

import os
from pathlib import Path


def named_paths(variable: str, kind: str, text: str | None = None) -> dict[str, Path]:
    """Paths by name, in their order.

    Args:
        variable: Environment variable.
        kind: What the paths are, for errors.
        text: Its content; None for that of the environment.

    Raises:
        ValueError: If a part is no NAME=PATH.

    Example:
        >>> named_paths("PORTRAIT_RESULTS", "FOLDER", "GFPGAN=results/gfpgan")
        {'GFPGAN': PosixPath('results/gfpgan')}
    """
    found: dict[str, Path] = {}
    for part in (os.environ.get(variable, "") if text is None else text).split(os.pathsep):
        name, equals, path = part.partition("=")
        if part and not (name and equals and path):
            raise ValueError(f"{variable} has NAME={kind}, several with {os.pathsep!r} between them; got {part!r}.")
        if part:
            found[name] = Path(path)
    return found
