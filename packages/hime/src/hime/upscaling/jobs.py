"""What there is to magnify: a picture to read and files to write, planned and refused without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.encoding import WRITABLE_SUFFIXES
from faceops.images.picture_files import check_there, find_pictures, picture_files
from hime.weights.shipped import find_weights


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


def check_request(
    low: Path,
    output: Path,
    exemplars: Sequence[Path],
    weights: str,
    maps: Path | None,
    compare: Path | None,
    overwrite: bool,
) -> None:
    """Refuse what can be refused without torch, which takes seconds to import.

    Raises:
        ValueError: See `plan_jobs`, `check_targets` and `hime.weights.shipped.find_weights`.
        OSError: If a picture, an exemplar or a weights file is missing, or a file must not be overwritten.
    """
    find_weights(weights)
    for path in (low, *exemplars):
        check_there(path)
    check_targets(plan_jobs(low, output, maps, compare), len(picture_files(exemplars)), overwrite)
