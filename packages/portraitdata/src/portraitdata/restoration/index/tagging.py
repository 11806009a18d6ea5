"""Tags in the table of an index: what a tagger says of the photographs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from faceops.images.decoding import decode_raster
from faceops.images.errors import ImageFileError
from faceops.images.files import srgb_bytes
from faceops.progress.display import tracked
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import IMAGES_OPTIONAL, read_table
from portraitdata.restoration.index.tag_journal import JOURNAL, TagJournal
from portraitdata.restoration.index.taggers import Tagger
from portraitdata.storage.single_run import only_run


class SquarePicture(NamedTuple):
    """A photograph as a tagger sees it."""

    uid: str
    pixels: UInt8[Tensor, "3 s s"] | None
    """RGB; None if it cannot be decoded."""
    reason: str = ""
    """Why not, as a sentence."""


class SquarePictures(Dataset[SquarePicture]):
    """Photographs of an index, each squeezed into a square.

    Args:
        index: Index.
        numbers: Which of its photographs.
        side: Side of the square, in pixels.
    """

    def __init__(self, index: PortraitIndex, numbers: Sequence[int], side: int) -> None:
        self.index, self.numbers, self.side = index, numbers, side

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, item: int) -> SquarePicture:
        number = self.numbers[item]
        uid, name = self.index.uid(number), self.index.photograph(number).path
        try:
            raster = decode_raster(self.index.read_bytes(number), name)
        except (ImageFileError, OSError) as error:
            return SquarePicture(uid, None, str(error))
        height, width = raster.samples.shape[:2]
        pixels = torch.from_numpy(srgb_bytes(raster, 0, 0, height, width)).float().unsqueeze(0)
        squeezed = F.interpolate(pixels, size=(self.side, self.side), mode="bilinear", antialias=True)
        return SquarePicture(uid, squeezed[0].round().clamp(0, 255).to(torch.uint8))


class Tagging(NamedTuple):
    """Outcome of a run."""

    tagged: int
    """Photographs that have got tags."""
    there: int
    """Photographs that had tags already."""
    left_out: list[str]
    """Sentences on photographs that cannot be decoded."""


def tag_index(
    folder: Path,
    tagger: Tagger,
    name: str,
    *,
    batch: int = 32,
    workers: int = 0,
    device: torch.device | str = "cpu",
    again: bool = False,
) -> Tagging:
    """Write a column of tags into the table of images of an index, and keep takedowns out meanwhile.

    Photographs that have tags keep them, also those that cannot be decoded any more. What is found is kept in a file
    beside the table, so that the same call after a kill tags only what is missing.

    Args:
        folder: Index.
        tagger: Says what is on the photographs.
        name: Its name, by which a run knows whether it continues another.
        batch: Photographs that it sees together.
        workers: Processes that read photographs; 0 reads in this one.
        device: Where it computes.
        again: Tag photographs that have tags, too.

    Raises:
        ValueError: If there is no index, an argument is out of range, or another tagger's run did not end.
        OSError: If something cannot be read or written, or another run works at the index.
    """
    if batch < 1 or workers < 0:
        raise ValueError(f"A batch has a photograph at least and workers are not negative; got {batch} and {workers}.")
    images = folder / "images.parquet"
    PortraitIndex.read(folder)  # what is none is refused before anything is put there to lock it
    with only_run(folder):
        index = PortraitIndex.read(folder)
        journal = TagJournal(folder / JOURNAL, name)
        done = journal.found.keys() | (() if again else known_tags(read_table(images)).keys())
        pictures = SquarePictures(index, [n for n in range(len(index)) if index.uid(n) not in done], tagger.side)
        left_out = _find_tags(pictures, tagger, journal, batch, workers, device)
        table = read_table(images)  # as it is now: it may have been written anew in these hours
        known = known_tags(table)
        _write(table, known | journal.found, images)
        journal.path.unlink()
    return Tagging(len(journal.found), len(known.keys() - journal.found.keys()), left_out)


def _find_tags(
    pictures: SquarePictures,
    tagger: Tagger,
    journal: TagJournal,
    batch: int,
    workers: int,
    device: torch.device | str,
) -> list[str]:
    """Add tags to the journal; sentences on photographs that cannot be decoded."""
    left_out = []
    for seen in tracked(_batches(pictures, batch, workers), "Tagging", -(-len(pictures) // batch)):
        left_out += [picture.reason for picture in seen if picture.pixels is None]
        usable = [(picture.uid, picture.pixels) for picture in seen if picture.pixels is not None]
        if usable:
            images = torch.stack([pixels for _, pixels in usable]).to(device).float() / 255
            texts = tagger(images)
            journal.add({uid: split_tags(text) for (uid, _), text in zip(usable, texts, strict=True)})
    return left_out


def split_tags(text: str) -> list[str]:
    """Tags of a text with commas between.

    Example:
        >>> split_tags("man, suit,  tie"), split_tags("")
        (['man', 'suit', 'tie'], [])
    """
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def known_tags(table: pa.Table) -> dict[str, list[str]]:
    """Tags in the table of images of an index, by uid; without photographs that have none."""
    if "tags" not in table.column_names:
        return {}
    rows = zip(table["uid"].to_pylist(), table["tags"].to_pylist(), strict=True)
    return {uid: tags for uid, tags in rows if tags is not None}


def _batches(pictures: SquarePictures, batch: int, workers: int) -> Iterator[list[SquarePicture]]:
    if len(pictures):
        yield from DataLoader(pictures, batch_size=batch, num_workers=workers, collate_fn=list)


def _write(table: pa.Table, tags: dict[str, list[str]], path: Path) -> None:
    """The table with a column of tags, in its place; metadata and all other columns stay."""
    column = pa.array([tags.get(uid) for uid in table["uid"].to_pylist()], IMAGES_OPTIONAL.field("tags").type)
    if "tags" in table.column_names:
        table = table.set_column(table.column_names.index("tags"), "tags", column)
    else:
        table = table.append_column("tags", column)
    write_parquet(table, path)
