"""Planning of degradations, without torch."""

from collections.abc import Sequence
from pathlib import Path

from faceops.images.jobs import Job, plan_jobs
from faceops.images.picture_files import check_single


def plan_degradation(images: Sequence[Path], output: Path) -> list[Job]:
    """Plan one PNG for every picture; records call a picture by the name of its job.

    Args:
        images: Pictures, folders of them with their subfolders, and patterns.
        output: File for one picture, folder for more.

    Raises:
        ValueError: See `faceops.images.jobs.plan_jobs`.
        OSError: If the only picture is missing, or a folder cannot be written to.
    """
    jobs = plan_jobs(images, output, subfolders=True, suffixes=(".png",), result_name=as_png)
    check_single([job.source for job in jobs])
    return jobs


def as_png(name: str) -> str:
    """Name of the PNG of a picture, in the same folder.

    Example:
        >>> as_png("album/a.jpg")
        'album/a.png'
    """
    return Path(name).with_suffix(".png").as_posix()
