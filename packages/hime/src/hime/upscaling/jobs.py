"""Planning of ``hime upscale``, without torch, which takes seconds to import."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.jobs import Job, plan_jobs
from faceops.images.opening import check_any_opens, check_opens
from faceops.images.picture_files import picture_files
from hime.command_options import UpscaleOptions


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


def plan_upscaling(options: UpscaleOptions) -> list[Job]:
    """Plan a job for every picture, and refuse what can be refused before anything is loaded.

    Raises:
        ValueError: If a folder of exemplars holds no picture, no picture can be opened, or an exemplar cannot; see
            `planned_maps` and `faceops.images.jobs.plan_jobs`.
        OSError: If a file is missing, or a folder cannot be written to.
    """
    photographs = picture_files(options.exemplars)

    def map_paths(jobs: Sequence[Job]) -> dict[Path, list[Path]]:
        return {source: files.paths for source, files in planned_maps(jobs, options.maps, len(photographs)).items()}

    subfolders = options.recursive
    jobs = plan_jobs(
        [options.low],
        options.output,
        options.compare,
        subfolders=subfolders,
        streams=True,
        kept=photographs,
        more=map_paths,
        more_results=options.maps,
    )
    check_any_opens(job.source for job in jobs if not job.from_stdin)
    for photograph in photographs:
        check_opens(photograph)
    return jobs


def planned_maps(jobs: Sequence[Job], folder: Path | None, exemplars: int) -> dict[Path, MapFiles]:
    """Heat maps of every picture, by its file; none without exemplars.

    Args:
        jobs: The pictures.
        folder: Folder of the maps if there is one picture, folder of such folders if there are several; None for none.
        exemplars: How many there are.

    Raises:
        ValueError: If a file is where the folder must be.
    """
    if folder is None:
        return {}
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, but a folder is needed there; name another.")
    if not exemplars:
        return {}
    return {job.source: MapFiles(folder if len(jobs) == 1 else folder / job.name, exemplars) for job in jobs}
