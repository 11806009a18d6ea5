"""Frames of a video, from a folder of pictures or a video file, as squares of one size."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from faceops.images.decoding import decode_raster
from faceops.images.files import read_image_file, srgb_bytes
from faceops.images.picture_files import find_pictures
from portraitdata.exemplars.photograph_crops import centred_square
from portraitdata.images.resampling import bicubic


def read_frames(source: Path, size: int, crop: int | None = None) -> UInt8[Tensor, "f 3 {size} {size}"]:
    """All frames of a video, each its centred square, in memory: 49 kB a frame of 128 pixels.

    Args:
        source: Folder with a picture for every frame, in the order of the numbers in their names; or a video file of
            any kind that the installed OpenCV decodes. A file's colours are taken for sRGB.
        crop: Side of the square cut from a frame, in pixels; None for the largest one.

    Raises:
        FileNotFoundError: If there is nothing there.
        ImageFileError: If a picture cannot be read.
        ValueError: If there are no frames, or OpenCV cannot decode the file.
    """
    if not source.exists():
        raise FileNotFoundError(f"There is no video {source}: name a video file or a folder of frames.")
    frames = _pictures(source) if source.is_dir() else _decoded(source)
    squares = [squared(frame, size, crop) for frame in frames]
    if not squares:
        what = "no pictures" if source.is_dir() else "no frames that OpenCV can decode"
        raise ValueError(f"{source} has {what}; a folder of pictures or a video file was wanted.")
    return torch.stack(squares)


def stack_frames(frames: Sequence[Tensor], size: int, crop: int | None = None) -> UInt8[Tensor, "f 3 {size} {size}"]:
    """The same of frames that are in memory, (3, h, w), 0 to 255, of eight bits.

    Raises:
        ValueError: If there are none, or one is not of that kind.
    """
    for number, frame in enumerate(frames):
        if frame.dtype != torch.uint8 or frame.ndim != 3 or frame.shape[0] != 3:
            kind = f"{tuple(frame.shape)} of {str(frame.dtype).removeprefix('torch.')}"
            raise ValueError(f"A frame is (3, h, w) of uint8, number {number} is {kind}.")
    if not len(frames):
        raise ValueError("A video needs at least one frame, got none.")
    return torch.stack([squared(frame.numpy(), size, crop) for frame in frames])


def squared(frame: NDArray[np.uint8], size: int, crop: int | None) -> UInt8[Tensor, "3 {size} {size}"]:
    """Centred square of a frame (3, h, w), resized by MATLAB's bicubic."""
    square = centred_square(frame.shape[1], frame.shape[2], crop)
    cut = frame[:, square.top : square.top + square.side, square.left : square.left + square.side]
    pixels = torch.from_numpy(np.ascontiguousarray(cut))
    if square.side == size:
        return pixels
    return bicubic(pixels.float(), size, size).round().clamp(0, 255).to(torch.uint8)


def counted(name: str) -> tuple[str | int, ...]:
    """Key to sort names by, in which frame 2 comes before frame 10.

    Example:
        >>> sorted(["f10.png", "f2.png"], key=counted)
        ['f2.png', 'f10.png']
    """
    parts = re.split(r"(\d+)", name)
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


def _pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    for path in sorted(find_pictures(folder), key=lambda path: counted(path.name)):
        raster = decode_raster(read_image_file(path), str(path))
        yield srgb_bytes(raster, 0, 0, *raster.samples.shape[:2])


def _decoded(file: Path) -> Iterator[NDArray[np.uint8]]:
    # read from the first frame to the last: seeking lands elsewhere in many files
    video = cv2.VideoCapture(str(file))
    try:
        while True:
            there, frame = video.read()
            if not there:
                return
            yield np.ascontiguousarray(frame[..., ::-1].transpose(2, 0, 1))
    finally:
        video.release()
