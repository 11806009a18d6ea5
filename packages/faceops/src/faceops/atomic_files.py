"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Temporary name beside `path` to write to; renamed to `path` on success, removed on any failure.

    A reader never sees half a file, and a full disk leaves the old file as it was.

    Raises:
        FileNotFoundError: If the folder of `path` does not exist.
        OSError: If the file cannot be written; it names `path`, not the temporary file.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> with replacing(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [(file.name, file.read_text()) for file in folder.iterdir()]
        [('a.txt', 'whole')]
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} that {path.name} is to be written to does not exist.")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or str(error.filename or temporary) != str(temporary):
            raise
        # The error's own words may be about the temporary name.
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
