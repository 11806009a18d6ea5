"""Loader of HeadsUp's training data at 1024 pixels: the whole and its parts, on one core."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.timing import cpu_seconds
from faceops.geometry.alignment import crop_faces
from faceops.images.decoding import Raster, decode_raster
from faceops.images.files import srgb_bytes
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import REALESRGAN
from portraitdata.exemplars.photograph_crops import Square
from portraitdata.images.resampling import bicubic
from portraitdata.loading.sampler import SeededSequence
from portraitdata.restoration.batches import collate
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.photograph_windows import PhotographWindows
from portraitdata.restoration.training_pairs import RestorationPairs
from portraitdata.restoration.view import View

PORTRAIT = 2400
"""Side of the drawn portraits; with what is around them, pictures have 3600 x 3000 pixels."""

BATCH = 4
RECORDS = 12
"""Degradations that are timed: their cost varies by a factor of ten."""

REPEATS = 3


def measure(suite: Suite) -> list[Table]:
    """Images a CPU second of the loader, and milliseconds of every part, beside slower ways to the same."""
    with TemporaryDirectory() as folder:
        index = PortraitIndex.read(
            write_synthetic_portrait_index(Path(folder), people=4, portraits=2, size=PORTRAIT, suffix=".jpg")
        )
        runs = parts(index) | wholes(index)
        seconds = cpu_seconds([run for run, _ in runs.values()], REPEATS)
    taken = {name: each / images for (name, (_, images)), each in zip(runs.items(), seconds, strict=True)}
    rows = [(name, 1000 * each, 1 / each) for name, each in taken.items()]
    columns = "part", "CPU ms an image", "images a CPU second"
    title = "Training data at 1024 pixels from JPEG of 3600 x 3000, x4, Real-ESRGAN's degradation, one core"
    needed = taken["decode"] + taken["degradation"]
    note = (
        f"What no loader avoids are decoding by libjpeg and the degradation, {1000 * needed:.0f} ms an image: "
        f"{needed / taken['loader']:.0%} of the loader's time."
    )
    return [Table("loader", title, columns, tuple(rows), columns[2:], "images a CPU second", note)]


def parts(index: PortraitIndex) -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed of an item, and how many images each run makes."""
    raster = decode_raster(index.read_bytes(0), "photograph")
    height, width = raster.samples.shape[:2]
    view = View(Square(0, 0, min(height, width)), 1024, True)
    crops = KnownRaster(index, raster)
    hq = crops.view(0, view)
    upright = np.ascontiguousarray(hq.transpose(1, 2, 0))
    records = [draw_record(REALESRGAN, 1024, 1024, 4, (0, serial)) for serial in range(RECORDS)]
    items = [RestorationPairs(index, drop=0.0)[serial, serial] for serial in range(BATCH)]

    def window_by_matrices() -> torch.Tensor:
        window = torch.from_numpy(srgb_bytes(raster, *view.window[:2], *view.window[2:] * 2))
        return bicubic(window.float(), 1024, 1024).round().clamp(0, 255).byte()

    def reference_of_the_whole() -> torch.Tensor:
        pixels = torch.from_numpy(srgb_bytes(raster, 0, 0, height, width)).float().unsqueeze(0) / 255
        return crop_faces(pixels, torch.from_numpy(index.matrix(0)).unsqueeze(0)).crops

    return {
        "decode": (lambda: decode_raster(index.read_bytes(0), "photograph"), 1),
        "window, flip": (lambda: crops.view(0, view), 1),
        "window by MATLAB's bicubic": (window_by_matrices, 1),
        "degradation": (lambda: [degrade(upright, record) for record in records], RECORDS),
        "reference": (lambda: crops.aligned_face(0, False), 1),
        "reference, all made floats": (reference_of_the_whole, 1),
        "collation": (lambda: collate(items), BATCH),
    }


def wholes(index: PortraitIndex) -> dict[str, tuple[Callable[[], object], int]]:
    """The loader as it is used, with and without its costly parts."""
    pairs = {
        "loader": RestorationPairs(index, drop=0.0),
        "loader, LQ on the device": RestorationPairs(index, drop=0.0, degrade_on="device"),
        "loader, no references": RestorationPairs(index, references=False),
    }
    return {name: (one_epoch(each), BATCH) for name, each in pairs.items()}


def one_epoch(pairs: RestorationPairs) -> Callable[[], object]:
    """Reads one batch in this process."""

    def run() -> object:
        sampler = SeededSequence(len(pairs), BATCH)
        return next(iter(DataLoader(pairs, BATCH, sampler=sampler, collate_fn=collate)))

    return run


class KnownRaster(PhotographWindows):
    """Windows of one photograph that is decoded already."""

    def __init__(self, index: PortraitIndex, raster: Raster) -> None:
        super().__init__(index)
        self._raster = raster

    def _decoded(self, number: int) -> Raster:
        return self._raster
