"""Names that a package offers without importing their modules before they are asked for (PEP 562)."""

from collections.abc import Mapping
from importlib import import_module


def public_name(package: str, homes: Mapping[str, str], name: str) -> object:
    """Public object of a package, by name.

    Args:
        name: Public name, or ``__version__``.

    Raises:
        AttributeError: If the package offers no such name.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version(package)
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)
