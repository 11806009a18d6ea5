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

QUALITY = 97
"""Of the copies' JPEG."""

AT_ONCE = 64
"""Pictures that a process is given."""


def copy_reduced(root: Path, files: Sequence[Photograph], target: Path, side: int, workers: int = 1) -> list[Skipped]:
    """Copy pictures into a folder, those with a longer shorter side reduced to `side` pixels, as JPEG.

    What is small enough already is copied byte for byte. Copies that are there are not made again.

    Args:
        target: Folder of the copies, which have the names of the originals; reduced ones end in .jpg.
        workers: Processes.

    Returns:
        Files that could not be decoded.

    Raises:
        ValueError: If the side is below one pixel, or two pictures would have one copy.
    """
    if side < 1:
        raise ValueError(f"The shorter side of a copy counts pixels, got {side}.")
    stems = [PurePosixPath(file.path).with_suffix("") for file in files]
    twice = next((stem for stem, count in Counter(stems).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"Two pictures are called {twice} but for the suffix; copies of both would have one name.")
    parts = [tuple(files[start : start + AT_ONCE]) for start in range(0, len(files), AT_ONCE)]
    done = in_processes(partial(copy_part, root, target, side), parts, workers)
    return [skipped for part in tracked(done, "Reducing pictures", len(parts)) for skipped in part]


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
    reduced = (target / name).with_suffix(".jpg")
    if reduced.is_file() or (target / name).is_file():
        return
    reduced.parent.mkdir(parents=True, exist_ok=True)
    raster = decode_raster(data, name)
    height, width = raster.samples.shape[:2]
    if min(height, width) <= side:
        with replacing(target / name) as temporary:
            temporary.write_bytes(data)
        return
    pixels = _shrunk(srgb_bytes(raster, 0, 0, height, width), side)
    save_picture(Picture(torch.from_numpy(pixels).float() / 255), reduced, quality=QUALITY)


def _shrunk(pixels: UInt8[np.ndarray, "3 h w"], side: int) -> UInt8[np.ndarray, "3 nh nw"]:
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    factor = side / min(image.size)
    sides = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(sides, Image.Resampling.LANCZOS)).transpose(2, 0, 1).copy()
