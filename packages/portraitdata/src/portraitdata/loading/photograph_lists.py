"""Lists of photographs to test on, as text files."""

from pathlib import Path


def read_held_out(path: Path) -> tuple[str, ...]:
    """Paths of photographs from a text file, one a line; empty lines are left out.

    Raises:
        ValueError: If there is no such file, it is no text, or it names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"A list of photographs to test on is a text file with a path a line: {error}.") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise ValueError(f"{path} names no photograph to test on.")
    return names
