"""Where the bytes of a candidate lie."""

import os
from pathlib import Path

from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.plan import root_of, source_place
from portraitdata.exemplars.index import Photograph, read_photograph
from portraitdata.storage.places import Place


class ImageBytes:
    """Reads the files of candidates: those of a local source from its folder, downloaded ones from the build."""

    def __init__(self, config: BuildConfig) -> None:
        self._build = config.output
        self._sources = {source.name: source for source in config.sources}
        self._roots: dict[str, Place] = {}

    def root(self, batch: Batch, row: int) -> Place:
        """Folder that path and archive of a row are relative to.

        Raises:
            FileNotFoundError: If the source is not there.
        """
        if batch["url"][row] is not None:
            return self._build
        name = batch["source"][row]
        if name not in self._roots:
            self.check_place(batch, row)  # of what is not there nobody can tell a folder from a file
            self._roots[name] = root_of(self._sources[name])
        return self._roots[name]

    def check_place(self, batch: Batch, row: int) -> None:
        """Refuse a source, or a build, that is gone as a whole, as on a disk that is not mounted.

        Raises:
            FileNotFoundError: If it is not there, or a folder without content.
        """
        place = self._build if batch["url"][row] is not None else source_place(self._sources[batch["source"][row]])
        if not _holds_something(place):
            raise FileNotFoundError(
                f"{place} is not there or empty, but images were listed in it; make it reachable, and run the same "
                "command again: what is done is kept."
            )

    def photograph(self, batch: Batch, row: int) -> Photograph:
        """Place of a row's file."""
        path, archive, offset, size = (batch[name][row] for name in ("path", "archive", "offset", "size"))
        width, height = batch["width"][row] or 0, batch["height"][row] or 0
        return Photograph(path, archive, offset, size, "", "unused", width, height)

    def read(self, batch: Batch, row: int) -> bytes:
        """File of a row."""
        return read_photograph(self.root(batch, row), self.photograph(batch, row))


def _holds_something(place: Place) -> bool:
    if not isinstance(place, Path) or not place.is_dir():
        return place.exists()
    with os.scandir(place) as entries:
        return next(entries, None) is not None
