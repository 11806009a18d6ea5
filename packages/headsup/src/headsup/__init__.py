"""Restoration of whole portrait photographs in one diffusion step, with an optional reference face (HeadsUp)."""

from typing import TYPE_CHECKING

from faceops.public_names import public_name

if TYPE_CHECKING:
    from headsup.restoring.options import RestoreOptions as RestoreOptions
    from headsup.restoring.photo_restorer import PhotoRestorer as PhotoRestorer
    from headsup.restoring.photo_restorer import ReferenceFaces as ReferenceFaces
    from headsup.restoring.photo_restorer import Restored as Restored
    from headsup.restoring.pipeline import HeadsUpPipeline as HeadsUpPipeline
    from headsup.weights.shipped import shipped_weights as shipped_weights

    __version__: str

__all__ = [
    "HeadsUpPipeline",
    "PhotoRestorer",
    "ReferenceFaces",
    "RestoreOptions",
    "Restored",
    "shipped_weights",
]

HOMES = {
    "HeadsUpPipeline": "headsup.restoring.pipeline",
    "PhotoRestorer": "headsup.restoring.photo_restorer",
    "ReferenceFaces": "headsup.restoring.photo_restorer",
    "RestoreOptions": "headsup.restoring.options",
    "Restored": "headsup.restoring.photo_restorer",
    "shipped_weights": "headsup.weights.shipped",
}
"""Modules of the public names; each is imported when its name is first asked for, as torch takes seconds."""


def __getattr__(name: str) -> object:
    """A public name, or the version of the installed package."""
    return public_name("headsup", HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
