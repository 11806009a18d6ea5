"""Degradation of photographs for training: images a second of one core, as usually written and by both executors."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers.usual_degradation import degrade_by_peer, soft_jpeg
from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.timing import cpu_seconds
from portraitdata.degradation.batched.executor import degrade_batch
from portraitdata.degradation.batched.jpeg import compress_batch
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.jpeg import compressed
from portraitdata.degradation.presets import ClassicalPreset, PresetName, preset_of
from portraitdata.degradation.records import ClassicalRecord, DegradationRecord, PlainRecord
from portraitdata.degradation.resizing import resized
from portraitdata.exemplars.synthetic_portraits import draw_portrait

IMAGES: dict[Suite, dict[int, int]] = {"quick": {256: 12, 512: 8, 1024: 3}, "full": {256: 24, 512: 16, 1024: 6}}
"""Records of each side; the same for all ways."""

BATCH = 8
SCALE = 4
REPEATS: dict[Suite, int] = {"quick": 1, "full": 2}
QUALITIES = (30, 60, 80, 95)

LIMIT = "The limit of `degrade` is libjpeg, which it must call: files as many and as large as the records want."


def measure(suite: Suite) -> list[Table]:
    """Speed by size and by preset, and the distance of both JPEGs in torch from libjpeg."""
    return [by_size(IMAGES[suite], REPEATS[suite]), by_preset(IMAGES[suite][512], REPEATS[suite]), jpeg_distance()]


def by_size(images: Mapping[int, int], repeats: int) -> Table:
    """The preset realesrgan at three sizes."""
    on_gpu = torch.cuda.is_available()
    rows: list[tuple[int | float, ...]] = []
    for side, count in images.items():
        image = photograph(side)
        records = [draw_record(preset_of("realesrgan"), side, side, SCALE, (0, 0, index)) for index in range(count)]
        tensor = as_tensor(image)
        ways: list[Callable[[], object]] = [
            partial(one_by_one, degrade_by_peer, tensor, records),
            partial(in_batches, tensor, records),
            partial(one_by_one, degrade, image, records),
            jpegs_alone(image, records),
        ]
        *speeds, limit = (count / seconds for seconds in cpu_seconds(ways, repeats))
        if on_gpu:
            speeds.append(count / gpu_seconds(tensor.cuda(), records))
        rows.append((side, *speeds, speeds[2] / speeds[0], limit))
    ways_named = ("torch, as usual", "degrade_batch", "degrade") + (("degrade_batch, CUDA",) if on_gpu else ())
    columns = ("side", *ways_named, "degrade / usual", "its JPEG alone")
    title = f"Degradation realesrgan x{SCALE}: images a second of one core"
    return Table("degradation", title, columns, tuple(rows), ways_named, "images a CPU second", LIMIT)


def by_preset(count: int, repeats: int) -> Table:
    """All presets with a JPEG at 512 pixels on the CPU."""
    side = 512
    image = photograph(side)
    runs: list[Callable[[], object]] = []
    names = tuple(name for name in get_args(PresetName) if name != "clean")
    limits: list[Callable[[], object]] = []
    for name in names:
        preset = preset_of(name)
        scale = 1 if isinstance(preset, ClassicalPreset) else SCALE
        records = [draw_record(preset, side, side, scale, (0, 0, index)) for index in range(count)]
        runs.append(partial(one_by_one, degrade, image, records))
        limits.append(jpegs_alone(image, records))
    speeds, alone = ([count / seconds for seconds in cpu_seconds(each, repeats)] for each in (runs, limits))
    rows = tuple(zip(names, speeds, alone, strict=True))
    columns = ("preset", "degrade", "its JPEG alone")
    title = f"Degradation of {side} x {side} pixels by preset: images a second of one core"
    return Table("degradation_presets", title, columns, rows, columns[1:2], "images a CPU second", LIMIT)


def jpeg_distance() -> Table:
    """Mean distance from libjpeg of JPEG in torch, in levels of 255."""
    image = photograph(512)
    values = image.astype(np.float32) / 255
    rows = []
    for quality in QUALITIES:
        truth = as_tensor(compressed(values, quality))
        usual = soft_jpeg(as_tensor(image), quality)
        ours = compress_batch(as_tensor(image), [quality])
        rows.append((quality, *(255 * (other - truth).abs().mean().item() for other in (usual, ours))))
    columns = ("quality", "torch, as usual", "compress_batch")
    title = "JPEG in torch: mean distance from libjpeg, of 255"
    return Table("degradation_jpeg", title, columns, tuple(rows), columns[1:], "levels of 255")


def jpegs_alone(image: NDArray[np.uint8], records: Sequence[DegradationRecord]) -> Callable[[], object]:
    """Compresses and decompresses by libjpeg as often and as large as the records want; reducing comes before."""
    values = image.astype(np.float32) / 255
    needed = [each for record in records for each in jpegs_of(record)]
    pictures = [(resized(values, *size, "bilinear"), quality) for size, quality in needed]
    return lambda: [compressed(picture, quality) for picture, quality in pictures]


def jpegs_of(record: DegradationRecord) -> list[tuple[tuple[int, int], int]]:
    """Sizes and qualities of the JPEG files of a degradation."""
    if isinstance(record, ClassicalRecord):
        return [((record.reduced.height, record.reduced.width), record.quality)]
    if isinstance(record, PlainRecord):
        return [(record.output_size, record.quality)] if record.quality else []
    if record.untouched:
        return []
    first, second = record.first, record.second
    last = record.output_size if record.jpeg_last else (second.resize.height, second.resize.width)
    return [((first.resize.height, first.resize.width), first.quality), (last, second.quality)]


def one_by_one(
    degrade_one: Callable[[Any, Any], object], image: object, records: Sequence[DegradationRecord]
) -> list[object]:
    """Degrade one image in many ways."""
    return [degrade_one(image, record) for record in records]


def in_batches(image: Tensor, records: Sequence[DegradationRecord]) -> list[Tensor]:
    """Degrade copies of one image."""
    groups = [records[first : first + BATCH] for first in range(0, len(records), BATCH)]
    return [degrade_batch(image.expand(len(group), -1, -1, -1), group) for group in groups]


def gpu_seconds(image: Tensor, records: Sequence[DegradationRecord]) -> float:
    """Wall time of a pass over the records, after one that is not counted."""
    in_batches(image, records)
    torch.cuda.synchronize()
    start = time.perf_counter()
    in_batches(image, records)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def photograph(side: int) -> NDArray[np.uint8]:
    """A drawn portrait with some grain, so that it has as many levels as a photograph."""
    grain = np.random.default_rng(0).normal(0, 6, (side, side, 3))
    return np.clip(draw_portrait(0, 0, side) + cv2.GaussianBlur(grain, (0, 0), 1), 0, 255).astype(np.uint8)


def as_tensor(image: NDArray) -> Tensor:
    """Batch of one, in [0, 1]."""
    values = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image
    return torch.from_numpy(values).permute(2, 0, 1).unsqueeze(0).contiguous()
