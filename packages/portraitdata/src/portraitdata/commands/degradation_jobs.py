"""Planning of degradations, without torch."""

from collections.abc import Sequence
from pathlib import Path

from faceops.images.jobs import Job, check_folder, plan_jobs
from faceops.images.opening import check_any_opens


def plan_degradation(images: Sequence[Path], output: Path, records: Path | None = None) -> list[Job]:
    """Plan one PNG for every picture; records call a picture by the name of its job.

    Args:
        images: Pictures, folders of them with their subfolders, and patterns.
        output: File for one picture, folder for more.
        records: File of records to write; None for none.

    Raises:
        ValueError: See `faceops.images.jobs.plan_jobs`; or if no picture can be opened, or the records cannot be where
            they shall be.
        OSError: If the only picture is missing, or a folder cannot be written to.
    """
    jobs = plan_jobs(images, output, subfolders=True, suffixes=(".png",), result_name=as_png)
    check_any_opens(job.source for job in jobs)
    if records is not None:
        check_records(records, jobs)
    return jobs


def check_records(records: Path, jobs: Sequence[Job]) -> None:
    """Refuse records that could not be written once all pictures are, or would replace one.

    Raises:
        ValueError: If they are a folder or a picture, or a file is where their folder must be.
        PermissionError: If their folder cannot be written to.
    """
    if records.is_dir():
        raise ValueError(f"Records are written to a file, but {records} is a folder.")
    if any(records.resolve() == place.resolve() for job in jobs for place in (job.source, job.output)):
        raise ValueError(f"{records} is a picture and cannot be the file of records too; name another file.")
    check_folder(records.resolve().parent)


def as_png(name: str) -> str:
    """Name of the PNG of a picture, in the same folder.

    Example:
        >>> as_png("album/a.jpg")
        'album/a.png'
    """
    return Path(name).with_suffix(".png").as_posix()
