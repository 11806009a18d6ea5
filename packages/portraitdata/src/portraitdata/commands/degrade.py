"""``portraitdata degrade``: sharp photographs in, degraded ones out, and a record of what was done."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from faceops.command_line import exit_status
from faceops.images.batch import Batch, attempt, run_batch
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.jobs import Job, missing_jobs
from faceops.images.opacity import without_hidden_colours
from faceops.progress.verbosity import say
from portraitdata.commands.scoring_options import DegradeOptions
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.noise import eight_bit
from portraitdata.degradation.presets import ClassicalPreset, Preset, preset_of
from portraitdata.degradation.record_files import RecordedPicture, read_records, write_records

DEFAULT_SCALE = 4

_DEFAULTS = {field.name: field.default for field in fields(DegradeOptions)}


@dataclass(frozen=True)
class Draws:
    """Where records come from: drawn by name, or read."""

    preset: Preset
    scale: int
    seed: int
    replayed: dict[str, RecordedPicture] | None

    def of(self, name: str, height: int, width: int) -> RecordedPicture:
        """Record for an image of a name and size.

        Raises:
            ValueError: If nothing is recorded of it, or it is too small.
        """
        if self.replayed is None:
            cropped_height, cropped_width = height - height % self.scale, width - width % self.scale
            if not cropped_height or not cropped_width:
                raise ValueError(f"A picture of {width} x {height} pixels is too small to be reduced by {self.scale}.")
            # By the name, so that files added to a folder do not change what becomes of the others.
            seed = (self.seed, 0, crc32(os.fsencode(name)))
            record = draw_record(self.preset, cropped_height, cropped_width, self.scale, seed)
            return RecordedPicture(name, (height - cropped_height) // 2, (width - cropped_width) // 2, record)
        if name not in self.replayed:
            raise ValueError(f"Nothing is recorded of {name}.")
        picture = self.replayed[name]
        if picture.top + picture.record.height > height or picture.left + picture.record.width > width:
            raise ValueError(
                f"The record of {name} is of a picture of at least {picture.left + picture.record.width} x "
                f"{picture.top + picture.record.height} pixels, got {width} x {height}."
            )
        return picture


def run_degrade(jobs: Sequence[Job], options: DegradeOptions) -> int:
    """Degrade pictures and write them as PNG.

    Goes on after a picture that fails; each failure is a line on stderr. Pictures whose sides are no multiples of the
    scale are cropped in the middle. Lines that the file of records has of other pictures are kept.

    Args:
        jobs: What to do, see `portraitdata.commands.degradation_jobs.plan_degradation`.
        options: How.

    Returns:
        Exit status, see `faceops.command_line.exit_status`.

    Raises:
        ValueError: If an argument is out of range, or the only picture fails.
        OSError: If a folder or file cannot be read or made.
    """
    draws = draws_of(options)
    records = options.records
    recorded = read_records(records) if records is not None and records.exists() else {}
    todo = missing_jobs(jobs, options.overwrite)
    work = partial(attempt, work=partial(degrade_picture, draws=draws, recorded=recorded))
    batch = Batch(work, "Degrading", "degraded", lists_results=False)
    try:
        failures = run_batch(todo, batch, alone=len(jobs) == 1)
    finally:
        if records is not None:
            records.parent.mkdir(parents=True, exist_ok=True)
            write_records(recorded.values(), records)
    report(jobs, todo, failures, options.output)
    finished = {job.name for job in jobs} - {job.name for job in todo}
    unknown = finished - set(recorded)
    if records is not None and unknown:
        say(
            f"{records} has no line for {len(unknown)} pictures that were there already, such as {min(unknown)}; "
            "--overwrite does them again."
        )
    return exit_status(len(jobs), len(jobs) - failures)


def draws_of(options: DegradeOptions) -> Draws:
    """Where the records of a command come from.

    Raises:
        ValueError: If an option would fail for every picture, or one is given that records leave nothing to decide.
        OSError: If the file of records to apply cannot be read.
    """
    if options.replay is not None:
        given = [name for name in ("preset", "scale", "seed", "sharpen") if getattr(options, name) != _DEFAULTS[name]]
        if given:
            raise ValueError(
                f"Records say all that is done to a picture, so that --replay does not go with "
                f"--{', --'.join(given)}; leave out one or the other."
            )
    preset = preset_of(options.preset)
    if options.sharpen:
        preset = replace(preset, sharpen_probability=1.0)
    scale = options.scale
    if scale is None:
        scale = 1 if isinstance(preset, ClassicalPreset) else DEFAULT_SCALE
    draw_record(preset, scale, scale, scale, (options.seed,))
    return Draws(preset, scale, options.seed, None if options.replay is None else read_records(options.replay))


def degrade_picture(job: Job, draws: Draws, recorded: dict[str, RecordedPicture]) -> None:
    """Degrade a picture and put what was done to it into `recorded`.

    Raises:
        ValueError: If it cannot be read or degraded.
        OSError: If a file cannot be read or written.
    """
    pixels = eight_bit_pixels(job.source)
    picture = draws.of(job.name, *pixels.shape[:2])
    window = pixels[picture.top :, picture.left :][: picture.record.height, : picture.record.width]
    write(degrade(np.ascontiguousarray(window), picture.record), job.output)
    recorded[job.name] = picture


def eight_bit_pixels(path: Path) -> NDArray[np.uint8]:
    """Pixels (h, w, 3) of a picture, upright, in sRGB; what is wholly transparent has the colours of what is near.

    Raises:
        ImageFileError: If it cannot be read.
    """
    picture = without_hidden_colours(load_picture(path))
    return eight_bit(picture.pixels.permute(1, 2, 0).contiguous().numpy())


def write(pixels: NDArray[np.uint8], target: Path) -> None:
    """Write pixels (h, w, 3) as PNG, and the folders that it takes.

    Raises:
        OSError: If that is not possible.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    save_picture(Picture(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255), target)


def report(jobs: Sequence[Job], todo: Sequence[Job], failures: int, output: Path) -> None:
    """Say in one line what was done."""
    parts = [f"{len(todo) - failures} degraded"]
    if len(jobs) > len(todo):
        parts.append(f"{len(jobs) - len(todo)} there already")
    if failures:
        parts.append(f"{failures} failed")
    print(f"{output}: {', '.join(parts)}")
