"""``hime upscale``: picture files in, picture files out."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from faceops.command_line import exit_status
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.images.batch import Batch, attempt, error_console, run_batch
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.format_limits import check_sides
from faceops.images.jobs import Job, check_targets, missing_jobs
from faceops.images.picture_files import picture_files, tell_left_out
from faceops.weights.cache import cached_path, find_entry
from hime.heat_maps import heat_map, relative_similarity
from hime.network import HIME
from hime.upscaling.comparison import comparison_sheet
from hime.upscaling.picture_upscaling import Upscaled, upscale
from hime.upscaling.tiling import Tiling
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights
from portraitdata.images.resampling import bicubic


@dataclass(frozen=True)
class MapFiles:
    """Heat maps of one picture, one of each kind for every exemplar."""

    folder: Path
    exemplars: int
    """Number of them."""

    def of(self, kind: str) -> list[Path]:
        """Files of the maps of the kind weight or similarity, in the order of the exemplars."""
        return [self.folder / f"{kind}_{number}.png" for number in range(1, self.exemplars + 1)]

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [*self.of("similarity"), *self.of("weight")]


def planned_maps(jobs: Sequence[Job], folder: Path, exemplars: int) -> dict[Path, MapFiles]:
    """Heat maps of every picture, by its file; none without exemplars.

    Args:
        folder: Folder of the maps if there is one picture, folder of such folders if there are several.

    Raises:
        ValueError: If a file is where the folder must be.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, but a folder is needed there; name another.")
    if not exemplars:
        return {}
    return {job.source: MapFiles(folder if len(jobs) == 1 else folder / job.name, exemplars) for job in jobs}


def save_maps(result: Upscaled, files: MapFiles) -> None:
    """Write the similarity and the weight of every exemplar as heat maps of the output's size.

    Weights are drawn from 0 to 1, similarities as `relative_similarity`; networks without CoFA have none.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    size = result.picture.pixels.shape[-2:]
    drawn = {} if result.weight is None else {"weight": result.weight}
    if result.weight is not None and result.similarity is not None:
        drawn["similarity"] = relative_similarity(result.weight)
    for kind, maps in drawn.items():
        for values, path in zip(bicubic(maps, *size), files.of(kind), strict=True):
            save_picture(Picture(heat_map(values)), path)


AlignMode = Literal["auto", "faces", "middle"]
"""Alignment of exemplars with the input."""


@dataclass(frozen=True)
class Exemplar:
    """A photograph of the person and the name of its file."""

    name: str
    picture: Picture


@dataclass(frozen=True, eq=False)
class Setup:
    """Setup that all images of a run share."""

    network: HIME
    exemplars: Sequence[Exemplar]
    tiling: Tiling
    trained_lr_size: int | None
    """Side of the low-resolution training images in pixels, if it is known."""
    detector: Detector | None
    """Finds the faces by which exemplars are aligned; None if their middle is taken."""
    maps: Mapping[Path, MapFiles]
    """Heat maps to write, by the source of their job; none of those that are not in it."""
    strip_metadata: bool = False
    """True to leave out EXIF, XMP and IPTC of the input."""


def run_job(job: Job, setup: Setup) -> None:
    """Magnify one picture and write what the job wants; ValueError if the picture cannot be read or magnified."""
    picture = load_picture(job.source)
    check_sides(job.output, *(side * setup.network.scale for side in picture.pixels.shape[1:]))
    if setup.strip_metadata:
        picture = picture.without_metadata()
    photographs = [exemplar.picture for exemplar in setup.exemplars]
    result = upscale(setup.network, picture, photographs, setup.tiling, setup.trained_lr_size, setup.detector)
    for target in job.targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    if job.source in setup.maps:
        save_maps(result, setup.maps[job.source])
    if job.sheet is not None:
        names = [exemplar.name for exemplar in setup.exemplars]
        save_picture(Picture(comparison_sheet(picture, result, names, job.source.name)), job.sheet)
    save_picture(result.picture, job.output)  # last: what has a result is not done again


def upscale_files(
    jobs: Sequence[Job],
    exemplars: Sequence[Path],
    weights: str,
    maps: Path | None,
    align: AlignMode,
    tile: int,
    device: torch.device,
    overwrite: bool,
    strip_metadata: bool = False,
) -> int:
    """``hime upscale``; see its help for the arguments, and `faceops.images.jobs.plan_jobs` for the jobs.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    console = error_console()
    photographs = picture_files(exemplars)
    tell_left_out(exemplars)
    drawn = {} if maps is None else planned_maps(jobs, maps, len(photographs))
    check_targets(jobs, {source: files.paths for source, files in drawn.items()}, kept=photographs)
    wanted = missing_jobs(jobs, overwrite, console)
    if not wanted:
        return 0
    loaded = [Exemplar(file.name, load_picture(file)) for file in photographs]
    network = load_network(weights, device)
    trained_lr_size = read_header(find_weights(weights)).card.lr_size
    if not loaded:
        console.print("No exemplars are given; with photographs of the same person results are better.")
        if maps is not None:
            console.print(f"Maps show exemplars, so there are none to write to {maps}.", markup=False)
    tiling = Tiling(tile, margin=min(16, tile // 4), ramp=max(1, min(16, tile // 4)))
    detector = exemplar_detector(align) if loaded else None
    setup = Setup(network, loaded, tiling, trained_lr_size, detector, drawn, strip_metadata)
    batch = Batch(partial(attempt, work=partial(run_job, setup=setup)), "upscaling", "upscaled")
    failed = run_batch(wanted, batch, console, alone=len(jobs) == 1)
    return exit_status(len(jobs), len(jobs) - failed)


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
