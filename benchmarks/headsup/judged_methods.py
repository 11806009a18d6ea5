"""Whom a restorer is compared with: the bicubic, and two public networks for pictures of anything."""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.headsup.methods import Method, by_restorer, enlarged, real_esrgan
from benchmarks.reporting.table import Suite
from headsup.restoring.photo_restorer import PhotoRestorer


class Rivals(NamedTuple):
    """Methods to compare with, and what is to be said of those that are missing."""

    methods: Mapping[str, Method]
    remark: str


def rivals(suite: Suite) -> Rivals:
    """Bicubic and public networks.

    Raises:
        NoPhotographsError: If the weights of the compact network are not there.
    """
    found: dict[str, Method] = {"bicubic": enlarged, "Real-ESRGAN compact": real_esrgan()}
    return Rivals(found, "")


def ours(restorer: PhotoRestorer) -> dict[str, Method]:
    """The restorer without references, and its most faithful picture."""
    return {
        "ours": by_restorer(restorer, referenced=False),
        "ours, fidelity 1": by_restorer(restorer, referenced=False, fidelity=1.0),
    }
