"""Restorers that the page offers, by name."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.serving.photo_job import PhotoJob
from headsup.serving.stage_hooks import StageHooks
from headsup.tiling.memory import GB, weight_bytes
from headsup.weights.files import read_header
from headsup.weights.shipped import find_weights, shipped_weights


@dataclass(frozen=True, eq=False)
class WatchedRestorer:
    """A restorer and the hooks that watch it."""

    restorer: PhotoRestorer
    hooks: StageHooks
    bytes: int
    """Of its weights."""


SMALL_BYTES = 0.2 * GB
"""Bytes of weights up to which they stay in memory when others are loaded; of large ones two may not fit into it."""


class Restorers:
    """Restorers by name; the one used last and all small ones stay loaded.

    Args:
        loaders: What loads each; the first is taken where nobody chooses.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], PhotoRestorer]]) -> None:
        self._loaders = loaders
        self._loaded: dict[str, WatchedRestorer] = {}

    @property
    def default(self) -> str:
        """Name of the one that is taken where nobody chooses."""
        return next(iter(self._loaders))

    def load(self, name: str | None = None) -> WatchedRestorer:
        """The restorer with a name; not for several threads.

        Raises:
            ValueError: If it cannot be used.
            OSError: If something is missing.
        """
        name = name or self.default
        if name not in self._loaded:
            self._loaded = {other: each for other, each in self._loaded.items() if each.bytes <= SMALL_BYTES}
            restorer = self._loaders[name]()
            self._loaded[name] = WatchedRestorer(
                restorer, StageHooks(restorer.restorer), weight_bytes(restorer.restorer)
            )
        return self._loaded[name]

    def load_for(self, job: PhotoJob) -> WatchedRestorer:
        """The restorer that a job wants, which says what is loaded and what the restorer then does.

        Raises:
            ValueError: If it cannot be used.
            OSError: If something is missing.
        """
        assert job.request is not None
        name = job.request.weights or self.default
        if name not in self._loaded:
            job.enter(f"Loading the weights {name}")
        loaded = self.load(name)
        job.began = time.monotonic()  # the next one with these weights does not wait for them
        loaded.hooks.watch(job)
        return loaded


@dataclass(frozen=True)
class OfferedWeights:
    """Weights that the page offers."""

    name: str
    """On the page."""
    weights: str
    """Name of shipped weights, or a file."""
    is_stated: bool
    """True if the command line names them; the others come with the package."""
    is_guided: bool
    """True if they have a faithful picture, see `headsup.model.guidance`."""


def offered_weights(stated: Sequence[str]) -> tuple[OfferedWeights, ...]:
    """Weights that are stated, then the shipped ones of other names.

    Raises:
        ValueError: If two have one name, or one is no weights file.
        FileNotFoundError: If one is not there.
    """
    found: dict[str, OfferedWeights] = {}
    for weights in dict.fromkeys(stated):
        file = find_weights(weights)
        if file.stem in found:
            raise ValueError(
                f"On the page {found[file.stem].weights} and {weights} would both be called {file.stem}; rename one of "
                "the files."
            )
        found[file.stem] = OfferedWeights(file.stem, weights, True, has_guidance(file))
    for name in shipped_weights():
        found.setdefault(name, OfferedWeights(name, name, False, has_guidance(find_weights(name))))
    return tuple(found.values())


def has_guidance(file: Path) -> bool:
    """Tell whether weights have a faithful picture, see `headsup.model.guidance`."""
    return read_header(file)[0].guidance > 0
