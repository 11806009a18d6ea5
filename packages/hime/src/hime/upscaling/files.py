"""``hime upscale``: picture files in, picture files out."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.progress import Progress

from faceops.command_line import exit_status
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.images.encoding import WRITABLE_SUFFIXES
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.picture_files import find_pictures, picture_files
from faceops.weights.cache import cached_path, find_entry
from hime.heat_maps import heat_map, relative_similarity
from hime.network import HIME
from hime.upscaling.comparison import comparison_sheet
from hime.upscaling.picture_upscaling import Upscaled, upscale
from hime.upscaling.sheet import save_sheet
from hime.upscaling.tiling import Tiling
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights
from portraitdata.images.resampling import bicubic

AlignMode = Literal["auto", "faces", "middle"]
"""How exemplars are brought to the frame of the input."""


@dataclass(frozen=True)
class Job:
    """One picture to magnify and what to write."""

    source: Path
    output: Path
    maps: Path | None
    """Folder of the heat maps; None for no maps."""
    sheet: Path | None
    """Comparison sheet; None for none."""

    def map_paths(self, exemplars: int) -> dict[str, list[Path]]:
        """Files of the heat maps by kind, one for every exemplar."""
        if self.maps is None:
            return {}
        return {
            kind: [self.maps / f"{kind}_{number}.png" for number in range(1, exemplars + 1)]
            for kind in ("similarity", "weight")
        }


@dataclass(frozen=True)
class Exemplar:
    """A photograph of the person and the name of its file."""

    name: str
    picture: Picture


def plan_jobs(low: Path, output: Path, maps: Path | None, compare: Path | None) -> list[Job]:
    """What to do for a picture or for every picture of a folder.

    Args:
        low: Picture, or folder of pictures.
        output: Picture to write, or folder to write into. It must be a folder if `low` is one.
        maps: Folder for the heat maps, if wanted.
        compare: Sheet to write if `low` is a picture, folder of sheets if it is a folder.

    Raises:
        ValueError: If a folder holds no picture, or a file is where a folder must be.
    """
    for folder in (maps, *((output, compare) if low.is_dir() else ())):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file, but a folder is needed there; name another.")
    if not low.is_dir():
        target = output / writable(low.name) if output.is_dir() else output
        return [Job(low, target, maps, compare)]
    pictures = find_pictures(low)
    if not pictures:
        raise ValueError(f"There are no pictures in {low}.")
    return [
        Job(
            picture,
            output / writable(picture.name),
            None if maps is None else maps / picture.name,
            None if compare is None else compare / f"{picture.name}.png",
        )
        for picture in pictures
    ]


def writable(name: str) -> str:
    """File name for a result: that of the input, with .png added where its format is only read.

    Example:
        >>> writable("a.jpg"), writable("b.gif")
        ('a.jpg', 'b.gif.png')
    """
    return name if name.lower().endswith(WRITABLE_SUFFIXES) else f"{name}.png"


def check_targets(jobs: Sequence[Job], exemplars: int, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written or would replace a file.

    Raises:
        ValueError: If a suffix is not one of a format that can be written, a file is where a folder must be, or two
            results have one name.
        FileExistsError: If a file exists and must not be overwritten.
    """
    planned: set[Path] = set()
    for job in jobs:
        pictures = [job.output, *([] if job.sheet is None else [job.sheet])]
        for target in pictures:
            if target.suffix.lower() not in WRITABLE_SUFFIXES:
                raise ValueError(f"{target} must end in one of {', '.join(WRITABLE_SUFFIXES)}, got {target.suffix!r}.")
        for target in (*pictures, *(path for paths in job.map_paths(exemplars).values() for path in paths)):
            if target in planned:
                raise ValueError(f"{target} would be written twice; give one of the two another name.")
            planned.add(target)
            if target.parent.is_file():
                raise ValueError(f"{target.parent} is a file, but a folder is needed there; name another.")
            if target.exists() and not overwrite:
                raise FileExistsError(f"{target} exists already; give --overwrite to replace it, or name another.")


def load_exemplars(paths: Sequence[Path]) -> list[Exemplar]:
    """Load photographs, and all those of the folders among the paths.

    Raises:
        ValueError: If a file cannot be read or a folder holds no picture.
    """
    return [Exemplar(file.name, load_picture(file)) for file in picture_files(paths)]


def run_job(
    job: Job,
    network: HIME,
    exemplars: Sequence[Exemplar],
    tiling: Tiling,
    trained_lr_size: int | None,
    detector: Detector | None,
) -> None:
    """Magnify one picture and write what the job wants.

    Raises:
        ValueError: If the picture cannot be read or magnified.
        OSError: If a file cannot be read or written.
    """
    picture = load_picture(job.source)
    photographs = [exemplar.picture for exemplar in exemplars]
    result = upscale(network, picture, photographs, tiling, trained_lr_size, detector)
    for target in (job.output, job.sheet):
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
    save_picture(result.picture, job.output)
    if job.maps is not None and exemplars:
        save_maps(job, result)
    if job.sheet is not None:
        names = [exemplar.name for exemplar in exemplars]
        save_sheet(comparison_sheet(picture, result, names, job.source.name), job.sheet)


def save_maps(job: Job, result: Upscaled) -> None:
    """Write the similarity and the weight of every exemplar as heat maps of the output's size.

    Weights are drawn from 0 to 1, similarities as `relative_similarity`; networks without CoFA have none.
    """
    assert job.maps is not None
    job.maps.mkdir(parents=True, exist_ok=True)
    size = result.picture.pixels.shape[-2:]
    paths = job.map_paths(len(result.exemplars))
    drawn = {} if result.weight is None else {"weight": result.weight}
    if result.weight is not None and result.similarity is not None:
        drawn["similarity"] = relative_similarity(result.weight)
    for kind, maps in drawn.items():
        for values, path in zip(bicubic(maps, *size), paths[kind], strict=True):
            save_sheet(heat_map(values), path)


def run_jobs(
    jobs: Sequence[Job],
    network: HIME,
    exemplars: Sequence[Exemplar],
    tiling: Tiling,
    trained_lr_size: int | None,
    detector: Detector | None,
) -> int:
    """Do all jobs; of several, go on after one that fails and say at the end how many did.

    Returns:
        How many failed.

    Raises:
        ValueError: If the only job fails, as `run_job`.
        OSError: Likewise.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    failures = 0
    with Progress(console=console, transient=True, disable=len(jobs) == 1) as progress:
        for job in progress.track(jobs, description="upscaling"):
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", UserWarning)
                    run_job(job, network, exemplars, tiling, trained_lr_size, detector)
                for warning in caught:
                    console.print(f"{job.source}: {warning.message}", markup=False)
                print(job.output, file=sys.stdout)
            except (ValueError, OSError) as error:
                if len(jobs) == 1:
                    raise
                failures += 1
                console.print(str(error), markup=False)
    if failures:
        others = "; the others are done" if failures < len(jobs) else ""
        console.print(f"{failures} of {len(jobs)} pictures could not be upscaled{others}.")
    return failures


def upscale_files(
    low: Path,
    output: Path,
    exemplars: Sequence[Path],
    weights: str,
    maps: Path | None,
    compare: Path | None,
    align: AlignMode,
    tile: int,
    device: torch.device,
    overwrite: bool,
) -> int:
    """``hime upscale``; see its help for the arguments.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    jobs = plan_jobs(low, output, maps, compare)
    photographs = load_exemplars(exemplars)
    check_targets(jobs, len(photographs), overwrite)
    network = load_network(weights, device)
    trained_lr_size = read_header(find_weights(weights)).card.lr_size
    if not photographs:
        print("No exemplars are given; with photographs of the same person results are better.", file=sys.stderr)
        if maps is not None:
            print(f"Maps show exemplars, so there are none to write to {maps}.", file=sys.stderr)
    tiling = Tiling(tile, margin=min(16, tile // 4), ramp=max(1, min(16, tile // 4)))
    detector = exemplar_detector(align) if photographs else None
    return exit_status(len(jobs), len(jobs) - run_jobs(jobs, network, photographs, tiling, trained_lr_size, detector))


def exemplar_detector(align: AlignMode) -> Detector | None:
    """Detector by which exemplars are aligned; None if their middle is to be taken.

    ``auto`` takes YuNet if its weights have been fetched before, and never asks a network for them.

    Raises:
        MissingWeightsError: If faces must be found and the detector's weights are not to be had.
    """
    if align == "middle":
        return None
    if align == "auto" and not cached_path(find_entry("yunet")).is_file():
        print(
            "The middle of every exemplar is taken. After `faceops weights fetch yunet` (0.3 MB) their faces are found "
            "and brought to the place of the face in the picture.",
            file=sys.stderr,
        )
        return None
    return build_detector("yunet")
