"""Taggers by name: what an installed package offers, or a class by its path."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

GROUP = "portraitdata.taggers"
"""Entry points of packages that offer taggers; this package knows none itself."""


@runtime_checkable
class Tagger(Protocol):
    """Says what is on pictures; it computes where they are."""

    @property
    def side(self) -> int:
        """Side in pixels of the square that pictures are squeezed into."""

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> list[str]:
        """Tags of each image with commas between, RGB in [0, 1]."""


def build_tagger(name: str) -> Tagger:
    """Tagger of a name.

    Args:
        name: Name that an installed package offers, as "dape" of headsup, or the path of a class that is called without
            arguments, as ``package.module.Class``.

    Raises:
        ValueError: If there is none.
        MissingWeightsError: If its weights are not there and cannot be fetched.
    """
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in offered:
        return _checked(offered[name].load()(), name)
    module, _, attribute = name.rpartition(".")
    if not module:
        known = ", ".join(sorted(offered)) or "none"
        raise ValueError(
            f'No tagger is called "{name}"; installed packages offer: {known}. Another one is given by the path of its '
            "class, as package.module.Class."
        )
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no class {name} for a tagger: {error}.") from error
    return _checked(kind(), name)


def _checked(tagger: object, name: str) -> Tagger:
    if not isinstance(tagger, Tagger):
        raise ValueError(
            f"{name} is no tagger: it is called with images and says the `side` that it wants them to have."
        )
    return tagger
