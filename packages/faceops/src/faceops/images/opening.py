"""Headers of image files, read before networks are loaded: what cannot be opened is refused without them."""

from collections.abc import Iterable
from pathlib import Path

from faceops.error_sentences import as_sentence
from faceops.images.decoding import open_header
from faceops.images.memory_budget import check_memory
from faceops.images.regular_files import check_regular


def check_opens(file: Path) -> None:
    """Refuse a file that is missing, no image or too large, by its header alone.

    Raises:
        ImageFileError: See `faceops.images.decoding.open_header` and `faceops.images.memory_budget.check_memory`.
        OSError: If it cannot be read.
    """
    check_regular(file)
    with file.open("rb") as opened:
        check_memory(str(file), open_header(opened, str(file)).size)


def check_any_opens(files: Iterable[Path]) -> None:
    """Refuse files none of which can be opened; of several, the work says later which cannot.

    Raises:
        ImageFileError: If the only one cannot.
        ValueError: If there are several and none can.
        OSError: If the only one cannot be read.
    """
    errors: list[Exception] = []
    for file in files:
        try:
            check_opens(file)
        except (ValueError, OSError) as error:
            errors.append(error)
        else:
            return
    if len(errors) == 1:
        raise errors[0]
    if errors:
        reasons = "".join(f"\n  {as_sentence(error)}" for error in errors)
        raise ValueError(f"None of the {len(errors)} pictures can be read:{reasons}")
