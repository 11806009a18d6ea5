"""Where the bytes of a candidate lie."""

from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.plan import root_of
from portraitdata.exemplars.index import Photograph, read_photograph
from portraitdata.storage.places import Place


class ImageBytes:
    """Reads the files of candidates: those of a local source from its folder, downloaded ones from the build."""

    def __init__(self, config: BuildConfig) -> None:
        self._build = config.output
        self._roots = {source.name: root_of(source) for source in config.sources}

    def root(self, batch: Batch, row: int) -> Place:
        """Folder that path and archive of a row are relative to."""
        return self._build if batch["url"][row] is not None else self._roots[batch["source"][row]]

    def photograph(self, batch: Batch, row: int) -> Photograph:
        """Place of a row's file."""
        path, archive, offset, size = (batch[name][row] for name in ("path", "archive", "offset", "size"))
        width, height = batch["width"][row] or 0, batch["height"][row] or 0
        return Photograph(path, archive, offset, size, "", "unused", width, height)

    def read(self, batch: Batch, row: int) -> bytes:
        """File of a row."""
        return read_photograph(self.root(batch, row), self.photograph(batch, row))
