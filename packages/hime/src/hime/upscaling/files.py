"""``hime upscale``: picture files in, picture files out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from faceops.command_line import exit_status
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.device import select_device
from faceops.images.batch import Batch, attempt, run_batch
from faceops.images.decoding import open_image, picture_size
from faceops.images.files import Picture, decode_image, save_picture
from faceops.images.format_limits import check_sides
from faceops.images.job_files import pipe_on, read_source
from faceops.images.jobs import Job, missing_jobs
from faceops.images.memory_budget import DECODING_BYTES, check_memory
from faceops.images.picture_files import picture_files, tell_left_out
from faceops.progress.display import shown
from faceops.progress.verbosity import say
from hime.command_options import UpscaleOptions
from hime.heat_maps import heat_map, relative_similarity
from hime.network import HIME
from hime.upscaling.comparison import comparison_sheet
from hime.upscaling.exemplar_files import ExemplarFile, read_exemplars
from hime.upscaling.jobs import MapFiles, planned_maps
from hime.upscaling.memory import fitting_tiling, whole_bytes
from hime.upscaling.picture_upscaling import Upscaled, check_size, upscale
from hime.upscaling.tiling import Tiling
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights
from portraitdata.images.resampling import bicubic


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


AlignMode = Literal["faces", "middle"]
"""Alignment of exemplars with the input."""


@dataclass(frozen=True, eq=False)
class Setup:
    """Setup that all images of a run share."""

    network: HIME
    exemplars: Sequence[ExemplarFile]
    tiling: Tiling
    trained_lr_size: int | None
    """Side of the low-resolution training images in pixels, if it is known."""
    detector: Detector | None
    """Finds the face by which exemplars are aligned; None if their middle is taken."""
    maps: Mapping[Path, MapFiles]
    """Heat maps to write, by the source of their job; none of those that are not in it."""
    strip_metadata: bool = False
    """True to leave out EXIF, XMP and IPTC of the input."""


def run_job(job: Job, setup: Setup) -> None:
    """Magnify one picture and write what the job wants; ValueError if the picture cannot be read or magnified."""
    picture = load_low(job, setup.network.scale)
    if setup.strip_metadata:
        picture = picture.without_metadata()
    photographs = [file.exemplar for file in setup.exemplars]
    height, width = picture.pixels.shape[-2:]
    pixels, exemplars = height * width * setup.network.scale**2, len(photographs)
    kept = sum(file.kept_bytes for file in setup.exemplars)
    whole = kept + whole_bytes(pixels, exemplars, job.source in setup.maps, job.sheet is not None)
    tiling = fitting_tiling(setup.network, setup.tiling, (height, width), exemplars, whole, str(job.source))
    result = upscale(setup.network, picture, photographs, tiling, setup.trained_lr_size, setup.detector)
    for target in job.targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    if job.source in setup.maps:
        save_maps(result, setup.maps[job.source])
    if job.sheet is not None:
        names = [file.name for file in setup.exemplars]
        save_picture(Picture(comparison_sheet(picture, result, names, job.source.name)), job.sheet)
    if job.to_stdout:
        pipe_on(result.picture)
    else:
        save_picture(result.picture, job.output)  # last: what has a result is not done again


def load_low(job: Job, scale: int) -> Picture:
    """Load a picture to magnify, unless its header says that it or the result is too large.

    Raises:
        ValueError: If the picture cannot be read or magnified.
    """
    name = str(job.source)
    file = open_image(read_source(job), name)
    height, width = picture_size(file)
    check_size(height, width, scale)
    check_sides(job.output, height * scale, width * scale)
    check_memory(f"The result of {name}", (width * scale, height * scale), DECODING_BYTES)
    return decode_image(file)


def upscale_files(jobs: Sequence[Job], options: UpscaleOptions, weights: str) -> int:
    """Upscale picture files.

    Args:
        jobs: What to do, see `hime.upscaling.jobs.plan_upscaling`.
        options: How.
        weights: Name or file of the weights.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    device, tile = select_device(options.device), options.tile
    photographs = picture_files(options.exemplars)
    tell_left_out(options.exemplars)
    wanted = missing_jobs(jobs, options.overwrite)
    if options.maps is not None and len(wanted) < len(jobs) and not options.maps.exists():
        say(f"{options.maps} is not there: maps are made with their results, which --overwrite makes again.")
    if not wanted:
        return 0
    with shown("Loading"):
        detector = exemplar_detector(options.align) if photographs else None
        loaded = read_exemplars(photographs, detector)
        network = load_network(weights, device)
    trained_lr_size = read_header(find_weights(weights)).card.lr_size
    if loaded and network.arguments.alignment == "none":
        say(f"The weights {weights} know no exemplars: those that are given have no effect, and there are no maps.")
        photographs, loaded = [], []
    elif not loaded:
        say("No exemplars are given; with photographs of the same person results are better.")
        if options.maps is not None:
            say(f"Maps show exemplars, so there are none to write to {options.maps}.")
    tiling = Tiling(tile, margin=min(16, tile // 4), ramp=max(1, min(16, tile // 4)))
    maps = planned_maps(jobs, options.maps, len(photographs))
    setup = Setup(network, loaded, tiling, trained_lr_size, detector, maps, options.strip_metadata)
    batch = Batch(partial(attempt, work=partial(run_job, setup=setup)), "Upscaling", "upscaled")
    failed = run_batch(wanted, batch, alone=len(jobs) == 1)
    return exit_status(len(jobs), len(jobs) - failed)


def exemplar_detector(align: AlignMode) -> Detector | None:
    """Detector by which exemplars are aligned; None if their middle is to be taken."""
    return build_detector() if align == "faces" else None
