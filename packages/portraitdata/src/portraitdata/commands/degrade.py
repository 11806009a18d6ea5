"""``portraitdata degrade``: sharp photographs in, degraded ones out, and a record of what was done."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.picture_files import check_single, find_pictures
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.noise import eight_bit
from portraitdata.degradation.presets import ClassicalPreset, Preset, PresetName, preset_of
from portraitdata.degradation.record_files import RecordedPicture, read_records, write_records

DEFAULT_SCALE = 4


@dataclass(frozen=True)
class Job:
    """A picture to degrade."""

    source: Path
    name: str
    """Path relative to the folder that was given, with slashes: what records call it."""
    target: Path


@dataclass(frozen=True)
class Draws:
    """Where records come from: drawn by name, or read."""

    preset: Preset
    scale: int
    seed: int
    replayed: dict[str, RecordedPicture] | None

    def of(self, name: str, height: int, width: int) -> RecordedPicture:
        """What to do to a picture of a name and size.

        Raises:
            ValueError: If nothing is recorded of it, or it is too small.
        """
        if self.replayed is None:
            cropped_height, cropped_width = height - height % self.scale, width - width % self.scale
            if not cropped_height or not cropped_width:
                raise ValueError(f"A picture of {width} x {height} pixels is too small to be reduced by {self.scale}.")
            # By the name, so that files added to a folder do not change what becomes of the others.
            seed = (self.seed, 0, crc32(name.encode()))
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


def run_degrade(
    images: Sequence[Path],
    output: Path,
    preset: PresetName = "realesrgan",
    scale: int | None = None,
    seed: int = 0,
    sharpen: bool = False,
    records: Path | None = None,
    replay: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Degrade pictures and write them as PNG.

    Goes on after a picture that fails; each failure is a line on stderr. Pictures whose sides are no multiples of the
    scale are cropped in the middle.

    Arguments are those of the command, `portraitdata.cli.degrade_pictures`; lines of other pictures that the file of
    records has are kept.

    Returns:
        Exit status: 1 if a picture failed.

    Raises:
        ValueError: If an argument is out of range, or two pictures would have one name.
        OSError: If a folder or file cannot be read or made.
    """
    jobs = planned(images, output)
    numbers = preset_of(preset)
    if sharpen:
        numbers = replace(numbers, sharpen_probability=1.0)
    if scale is None:
        scale = 1 if isinstance(numbers, ClassicalPreset) else DEFAULT_SCALE
    draw_record(numbers, scale, scale, scale, (seed,))  # refuses what would fail for every picture
    draws = Draws(numbers, scale, seed, None if replay is None else read_records(replay))
    recorded = read_records(records) if records is not None and records.exists() else {}
    todo = [job for job in jobs if overwrite or not job.target.exists()]
    try:
        failures = degrade_all(todo, draws, recorded, len(jobs) > 1)
    finally:
        if records is not None:
            records.parent.mkdir(parents=True, exist_ok=True)
            write_records(recorded.values(), records)
    report(jobs, todo, failures, output)
    finished = {job.name for job in jobs} - {job.name for job in todo}
    unknown = finished - set(recorded)
    if records is not None and unknown:
        print(
            f"{records} has no line for {len(unknown)} pictures that were there already, such as {min(unknown)}; "
            "--overwrite does them again.",
            file=sys.stderr,
        )
    return 1 if failures else 0


def planned(images: Sequence[Path], output: Path) -> list[Job]:
    """Pictures to degrade and where to.

    Raises:
        ValueError: If a folder holds no picture, the output has another suffix than .png or is a file where a folder
            is needed, or two pictures would become one file.
        MissingImageError: If the only picture or folder is not there.
    """
    check_single(images)
    if len(images) == 1 and not images[0].is_dir() and not output.is_dir():
        if output.suffix.lower() != ".png":
            raise ValueError(f"Degraded pictures are written as PNG, but {output} does not end in .png.")
        return [Job(images[0], images[0].name, output)]
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file, but a folder is needed there; name another.")
    jobs: dict[Path, Job] = {}
    for given in images:
        for path in pictures_below(given) if given.is_dir() else [given]:
            name = path.relative_to(given) if given.is_dir() else Path(path.name)
            job = Job(path, name.as_posix(), output / name.with_suffix(".png"))
            if job.target in jobs:
                raise ValueError(f"{jobs[job.target].source} and {path} would both become {job.target}.")
            jobs[job.target] = job
    return list(jobs.values())


def pictures_below(folder: Path) -> list[Path]:
    """Pictures in a folder and in its folders, in the order of their names; hidden ones are left out.

    Raises:
        ValueError: If there are none.
    """
    found = find_pictures(folder)
    for inner in sorted(path for path in folder.rglob("*") if path.is_dir()):
        if not any(part.startswith(".") for part in inner.relative_to(folder).parts):
            found += find_pictures(inner)
    if not found:
        raise ValueError(f"There are no pictures in {folder}.")
    return found


def degrade_all(jobs: Sequence[Job], draws: Draws, recorded: dict[str, RecordedPicture], bar: bool) -> int:
    """Degrade pictures, put what was done to each into `recorded`, and give the number of those that failed.

    Args:
        jobs: What to do.
        draws: Where records come from.
        recorded: Is added to.
        bar: Whether to show a progress bar.
    """
    failures = 0
    with Progress(console=Console(stderr=True), transient=True, disable=not bar) as progress:
        for job in progress.track(jobs, description="degrading"):
            try:
                pixels = eight_bit_pixels(job.source)
                picture = draws.of(job.name, *pixels.shape[:2])
                window = pixels[picture.top :, picture.left :][: picture.record.height, : picture.record.width]
                write(degrade(np.ascontiguousarray(window), picture.record), job.target)
                recorded[job.name] = picture
            except (ValueError, OSError) as error:
                failures += 1
                told = error if str(job.source) in str(error) else f"{job.source}: {error}"
                progress.console.print(str(told), markup=False, highlight=False, soft_wrap=True)
    return failures


def eight_bit_pixels(path: Path) -> NDArray[np.uint8]:
    """Pixels (h, w, 3) of a picture, upright, in sRGB.

    Raises:
        ImageFileError: If it cannot be read.
    """
    return eight_bit(load_picture(path).pixels.permute(1, 2, 0).contiguous().numpy())


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
