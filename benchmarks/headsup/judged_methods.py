"""Whom a restorer is compared with: the bicubic, two public networks for pictures of anything, and files of others."""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.headsup.methods import Method, by_restorer, enlarged, real_esrgan, real_esrgan_x4plus, with_face_by
from benchmarks.headsup.public_methods import public_methods
from benchmarks.peers.packaged_weights import NoPackageError
from headsup.restoring.photo_restorer import PhotoRestorer

COMPACT = "Real-ESRGAN compact"
"""The small public network."""

X4PLUS = "Real-ESRGAN x4plus"
"""The large network, 16.7 million weights."""


class Rivals(NamedTuple):
    """Methods to compare with, and what is to be said of those that are missing."""

    methods: Mapping[str, Method]
    remark: str


def rivals() -> Rivals:
    """Bicubic and public networks; the large one where its package is installed.

    Raises:
        NoPhotographsError: If the weights of the compact network are not there.
        ValueError: See `public_methods`.
        OSError: Likewise.
        MissingPackageError: Likewise.
    """
    found: dict[str, Method] = {"bicubic": enlarged, COMPACT: real_esrgan(), **public_methods()}
    try:
        return Rivals({**found, X4PLUS: real_esrgan_x4plus()}, "")
    except NoPackageError as error:
        return Rivals(found, f"Without {X4PLUS}: {error}.")


def blended(others: Rivals, restorer: PhotoRestorer) -> dict[str, Method]:
    """The practice of blending: the large network for the whole, where it is there, and our face pasted over it."""
    general = others.methods.get(X4PLUS)
    return {} if general is None else {f"blending, {X4PLUS} + our face": with_face_by(general, restorer)}


def ours(restorer: PhotoRestorer) -> dict[str, Method]:
    """The restorer without references, and its most faithful picture."""
    return {
        "ours": by_restorer(restorer, referenced=False),
        "ours, fidelity 1": by_restorer(restorer, referenced=False, fidelity=1.0),
    }
