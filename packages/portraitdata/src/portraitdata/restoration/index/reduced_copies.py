"""Copies of pictures that are small enough to be decoded for every training sample."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from faceops.atomic_files import replacing
from faceops.images.decoding import decode_raster
from faceops.images.errors import ImageFileError
from faceops.images.files import Picture, save_picture, srgb_bytes
from faceops.progress.display import tracked
from portraitdata.exemplars.index import ExemplarIndex, Photograph
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.loading.workers import in_processes
from portraitdata.restoration.index.copy_record import RECORD, CopyRecord, Origin

QUALITY = 97
"""Of the copies' JPEG."""

AT_ONCE = 64
"""Pictures that a process is given."""


def copy_reduced(root: Path, files: Sequence[Photograph], target: Path, side: int, workers: int = 1) -> list[Skipped]:
    """Copy pictures into a folder, those with a longer shorter side reduced to `side` pixels, as JPEG.

    What is small enough already is copied byte for byte. Copies that are there are not made again, unless the picture
    or the side has changed since.

    Args:
        target: Folder of the copies, see `copy_names`.
        workers: Processes.

    Returns:
        Files that could not be decoded; they have no copy.

    Raises:
        ValueError: If the side is below one pixel, two pictures would have one copy, or the folder has files of the
            names of copies without a record of what they were made of.
    """
    if side < 1:
        raise ValueError(f"The shorter side of a copy counts pixels, got {side}.")
    stems = [PurePosixPath(file.path).with_suffix("") for file in files]
    twice = next((stem for stem, count in Counter(stems).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"Two pictures are called {twice} but for the suffix; copies of both would have one name.")
    if not (target / RECORD).is_file():
        _refuse_others(target, files)
    record = CopyRecord(target)
    origins = {file.path: _origin(root, file, side) for file in files}
    wanted = [
        file for file in files if record.origins.get(file.path) != origins[file.path] or not _copies(target, file.path)
    ]
    parts = [tuple(wanted[start : start + AT_ONCE]) for start in range(0, len(wanted), AT_ONCE)]
    done = in_processes(partial(copy_part, root, target, side), parts, workers)
    skipped: list[Skipped] = []
    for part, left_out in zip(parts, tracked(done, "Reducing pictures", len(parts)), strict=True):
        unread = {file.path for file in left_out}
        record.add({file.path: origins[file.path] for file in part if file.path not in unread})
        skipped += left_out
    return skipped


def copy_names(path: str) -> tuple[str, str]:
    """Names that the copy of a picture may have: that of the picture as it is, that of a reduced one.

    Example:
        >>> copy_names("deep/a.png")
        ('deep/a.png', 'deep/a.jpg')
    """
    return path, str(PurePosixPath(path).with_suffix(".jpg"))


def _refuse_others(target: Path, files: Sequence[Photograph]) -> None:
    there = next((place for file in files for place in _copies(target, file.path)), None)
    if there is not None:
        raise ValueError(
            f"Nothing says what {there} is a copy of, or of which size: there is no {RECORD} in {target}. Give the "
            "copies a new folder, or delete those that are there to have them made again."
        )


def _copies(target: Path, path: str) -> list[Path]:
    # a picture called a.jpg has one name for both kinds of copies
    return [target / name for name in dict.fromkeys(copy_names(path)) if (target / name).is_file()]


def _origin(root: Path, file: Photograph, side: int) -> Origin:
    return Origin(side, file.size, (root / (file.archive or file.path)).stat().st_mtime_ns)


def copy_part(root: Path, target: Path, side: int, files: Sequence[Photograph]) -> list[Skipped]:
    """Copy some pictures; arguments, results and errors as of `copy_reduced`."""
    places, skipped = ExemplarIndex(root, ()), []
    for file in files:
        try:
            _copy(places.read_bytes(file), file.path, target, side)
        except ImageFileError as error:
            skipped.append(Skipped(file.path, str(error)))
    return skipped


def _copy(data: bytes, name: str, target: Path, side: int) -> None:
    for earlier in _copies(target, name):
        earlier.unlink(missing_ok=True)  # a.JPG and a.jpg may be one file
    same, reduced = (target / copy for copy in copy_names(name))
    reduced.parent.mkdir(parents=True, exist_ok=True)
    raster = decode_raster(data, name)
    height, width = raster.samples.shape[:2]
    if min(height, width) <= side:
        with replacing(same) as temporary:
            temporary.write_bytes(data)
        return
    pixels = _shrunk(srgb_bytes(raster, 0, 0, height, width), side)
    save_picture(Picture(torch.from_numpy(pixels).float() / 255), reduced, quality=QUALITY)


def _shrunk(pixels: UInt8[np.ndarray, "3 h w"], side: int) -> UInt8[np.ndarray, "3 nh nw"]:
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    factor = side / min(image.size)
    sides = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(sides, Image.Resampling.LANCZOS)).transpose(2, 0, 1).copy()
