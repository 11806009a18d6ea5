"""Pairs out of rows of pictures, as Hugging Face's `datasets` gives them: by number, or as a stream."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from faceops.geometry.faces import Faces
from faceops.images.decoding import Raster, decode_raster
from faceops.images.errors import EmptyImageError, ImageFileError
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import PresetName, preset_of
from portraitdata.degradation.records import DegradationRecord
from portraitdata.exemplars.photograph_crops import CorruptPhotograph
from portraitdata.restoration.batches import RestorationItem
from portraitdata.restoration.photograph_windows import viewed
from portraitdata.restoration.portrait_items import DEGRADATION_STREAM, VIEW_STREAM
from portraitdata.restoration.view import Square, View, any_window

Row = Mapping[str, object]


@runtime_checkable
class RowTable(Protocol):
    """Rows by number; a `datasets.Dataset` is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Row: ...


@runtime_checkable
class RowStream(Protocol):
    """Rows one after another; a `datasets.IterableDataset` is one."""

    def __iter__(self) -> Iterator[Row]: ...

    def set_epoch(self, epoch: int) -> None:
        """Take another order of a shuffled stream."""


class RowColumns(NamedTuple):
    """Columns of a table."""

    hq: str = "image"
    """Pictures to restore to, as dictionaries of bytes and path."""
    lq: str | None = None
    """Pictures to restore from; None makes them."""
    prompt: str | None = None
    """Texts of the pictures; None for none."""


class RowItems:
    """Makes items of rows: a window of the picture at random, and its low-quality version, given or made.

    Args:
        size: Side of the high-quality images, in pixels; smaller pictures are enlarged, unless there is a given LQ.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        preset: Degradation where no LQ is given.
        window: Smallest and largest side of the window, as shares of the shorter side. With a given LQ the window has
            `size` pixels.
        flip: Mirror half of the images.
        seed: Seed of everything random.

    Raises:
        ValueError: If the preset does not degrade by this scale, or the size is no multiple of it.
    """

    def __init__(
        self,
        columns: RowColumns,
        size: int,
        scale: int,
        preset: PresetName,
        window: tuple[float, float] = (0.5, 1.0),
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        self.columns, self.size, self.scale, self.window, self.flip, self.seed = (
            columns,
            size,
            scale,
            window,
            flip,
            seed,
        )
        self._preset = preset_of(preset)
        if columns.lq is None:
            draw_record(self._preset, size, size, scale, (0,))
        elif size % scale:
            raise ValueError(f"Windows of {size} pixels have no low-quality version {scale} times as small.")

    def item(self, row: Row, name: str, place: tuple[int, ...]) -> RestorationItem:
        """The item of a row.

        Args:
            name: What it is called in batches and errors.
            place: Numbers that, with the seed, decide everything random.

        Raises:
            ImageFileError: If a picture cannot be decoded.
            OSError: If it is a file that is not there.
            ValueError: If a given LQ is not of the size that fits.
        """
        random = np.random.default_rng((self.seed, *place, VIEW_STREAM))
        flipped, along, down, right = random.random(4).tolist()
        raster = _raster(row, self.columns.hq, name)
        flipped, at = self.flip and flipped < 0.5, (down, right)
        if self.columns.lq is not None:
            hq, lq = self._given(raster, _raster(row, self.columns.lq, name), name, at, flipped)
            record = None
        else:
            height, width = raster.samples.shape[:2]
            low, high = self.window
            shorter = min(height, width)
            side = min(max(round(shorter * low * (high / low) ** along), self.size), shorter)
            hq = viewed(raster, View(any_window(height, width, side, at), self.size, flipped))
            lq, record = self._made(hq, place)
        text = row.get(self.columns.prompt) if self.columns.prompt else None
        return RestorationItem(
            hq=torch.from_numpy(hq),
            lq=torch.from_numpy(lq),
            record=record,
            faces=Faces.none(),
            matrices=torch.zeros(0, 2, 3),
            reference=None,
            referenced=-1,
            prompt="" if text is None else str(text),
            name=name,
        )

    def item_or_warn(self, row: Row, name: str, place: tuple[int, ...]) -> RestorationItem | None:
        """As `item`, but None with a warning for a picture that cannot be read."""
        try:
            return self.item(row, name, place)
        except (ImageFileError, OSError) as error:
            warning = f"Another picture takes the place of a corrupt one: {error}"
            warnings.warn(CorruptPhotograph(warning), stacklevel=2)
            return None

    def _made(
        self, hq: UInt8[np.ndarray, "3 s s"], place: tuple[int, ...]
    ) -> tuple[UInt8[np.ndarray, "3 ls ls"], DegradationRecord]:
        record = draw_record(self._preset, self.size, self.size, self.scale, (self.seed, *place, DEGRADATION_STREAM))
        lq = degrade(np.ascontiguousarray(hq.transpose(1, 2, 0)), record)
        return np.ascontiguousarray(lq.transpose(2, 0, 1)), record

    def _given(
        self, truth: Raster, source: Raster, name: str, at: tuple[float, float], flipped: bool
    ) -> tuple[UInt8[np.ndarray, "3 s s"], UInt8[np.ndarray, "3 ls ls"]]:
        (height, width), (low_height, low_width) = truth.samples.shape[:2], source.samples.shape[:2]
        side = self.size // self.scale
        if (low_height * self.scale, low_width * self.scale) != (height, width) or min(height, width) < self.size:
            raise ValueError(
                f"{name} should have a truth of {self.size} pixels at least, {self.scale} times as large as its "
                f"input; got {width} x {height} and {low_width} x {low_height}."
            )
        window = any_window(low_height, low_width, side, at)
        large = Square(*(edge * self.scale for edge in window))
        return viewed(truth, View(large, self.size, flipped)), viewed(source, View(window, side, flipped))


class RowPairs(Dataset[RestorationItem]):
    """Pairs of rows that have numbers; the key is ``(serial, number)``, as `RestorationPairs` has it.

    A picture that cannot be read gives way to the next one, with a warning.
    """

    def __init__(self, rows: RowTable, items: RowItems) -> None:
        self.rows, self.items = rows, items

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: tuple[int, int] | int) -> RestorationItem:
        serial, position = key if isinstance(key, tuple) else (key, key)
        for more in range(len(self)):
            number = (position + more) % len(self)
            row = self.rows[number]
            item = self.items.item_or_warn(row, row_name(row, number), (serial,))
            if item is not None:
                return item
        raise ValueError(f"Not one of the {len(self)} pictures can be decoded.")


class StreamedPairs(IterableDataset[RestorationItem]):
    """Pairs of a stream of rows, in its order; `turn` is the number of the pass over it.

    Everything random follows from the seed, the pass, the process and the row's place in it, so a pass that is begun
    anew is the same; where it was cannot be kept.
    """

    def __init__(self, rows: RowStream, items: RowItems, rank: int = 0, turn: int = 0) -> None:
        self.rows, self.items, self.rank, self.turn = rows, items, rank, turn

    def __iter__(self) -> Iterator[RestorationItem]:
        # The number of the pass is read now, not with the first row: a loader counts on meanwhile.
        worker = get_worker_info()
        self.rows.set_epoch(self.turn)
        return self._items_of((self.turn, self.rank, 0 if worker is None else worker.id))

    def _items_of(self, place: tuple[int, ...]) -> Iterator[RestorationItem]:
        for count, row in enumerate(self.rows):
            item = self.items.item_or_warn(row, row_name(row, count), (*place, count))
            if item is not None:
                yield item


def row_name(row: Row, number: int) -> str:
    """Name of a row: its key in WebDataset, else its number.

    Example:
        >>> row_name({"__key__": "train/0001"}, 7), row_name({}, 7)
        ('train/0001', '7')
    """
    return str(row.get("__key__", number))


def _raster(row: Row, column: str, name: str) -> Raster:
    value = row.get(column)
    if column in row and value is None:
        raise EmptyImageError(f"Row {name} has no picture in the column {column}.")
    if not isinstance(value, Mapping):
        raise ValueError(
            f"Row {name} should have a picture in the column {column}, as bytes and path; it has "
            f"{', '.join(row) or 'no columns'}."
        )
    data, path = value.get("bytes"), value.get("path")
    if data is None and path is None:
        raise EmptyImageError(f"Row {name} has no picture in the column {column}.")
    return decode_raster(Path(str(path)).read_bytes() if data is None else data, name)
