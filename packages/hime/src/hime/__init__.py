"""HIME: headshot super-resolution from any number of photographs of the same person."""

from typing import TYPE_CHECKING

from faceops.public_names import public_name

if TYPE_CHECKING:
    from hime.network import HIME as HIME
    from hime.upscaling.picture_upscaling import Upscaled as Upscaled
    from hime.upscaling.picture_upscaling import upscale as upscale
    from hime.weights.files import load_network as load_network
    from hime.weights.shipped import shipped_weights as shipped_weights

    __version__: str

__all__ = [
    "HIME",
    "Upscaled",
    "load_network",
    "shipped_weights",
    "upscale",
]

HOMES = {
    "HIME": "hime.network",
    "Upscaled": "hime.upscaling.picture_upscaling",
    "load_network": "hime.weights.files",
    "shipped_weights": "hime.weights.shipped",
    "upscale": "hime.upscaling.picture_upscaling",
}
"""Modules of the public names; each is imported when its name is first asked for, as torch takes seconds."""


def __getattr__(name: str) -> object:
    """A public name, or the version of the installed package."""
    return public_name("hime", HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
