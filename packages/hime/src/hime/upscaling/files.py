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
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.picture_files import picture_files
from faceops.weights.cache import cached_path, find_entry
from hime.heat_maps import heat_map, relative_similarity
from hime.network import HIME
from hime.upscaling.comparison import comparison_sheet
from hime.upscaling.jobs import Job, check_targets, plan_jobs
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
class Exemplar:
    """A photograph of the person and the name of its file."""

    name: str
    picture: Picture


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
