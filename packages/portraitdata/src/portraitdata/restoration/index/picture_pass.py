"""The pass over all pictures of an index: by several processes, and on from where a killed run ended."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from faceops.detection.detector import Detector
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from faceops.detection.selection import build_detector
from faceops.device import DeviceName, select_device
from faceops.images.errors import ImageFileError
from faceops.progress.display import tracked
from faceops.recognition.identity import DEFAULT_NETWORK, build_identity
from faceops.recognition.identity_networks.encoder import FaceEncoder
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.loading.workers import in_processes
from portraitdata.restoration.index.face_pass import MIN_EYES, FacePass, SeenPicture
from portraitdata.restoration.index.picture_parts import read_part, write_part

PARTS = ".pictures"
"""Folder of what was found, in the folder of the index until that is written."""

PICTURES = 16
"""In a part: what a kill costs each process at most."""


@dataclass(frozen=True)
class FindingFaces:
    """How faces are found and embedded."""

    detector: DetectorName = DEFAULT_DETECTOR
    detector_weights: str | None = None
    identity: str = DEFAULT_NETWORK
    min_eyes: float = MIN_EYES
    device: DeviceName = "cpu"


@dataclass(frozen=True)
class PartTask:
    """Pictures to look at, and the file for what is found."""

    root: Path
    files: tuple[Photograph, ...]
    finding: FindingFaces | None
    """None looks for no faces."""
    part: Path


def look_at_all(
    root: Path, files: Sequence[Photograph], finding: FindingFaces | None, folder: Path, workers: int = 1
) -> tuple[list[SeenPicture], list[Skipped]]:
    """Look at all pictures, with a progress bar on a terminal; what cannot be used is named and left out.

    What is found is kept in `folder`, so that the same call after a kill does only what is missing; `forget_parts`
    removes it. Other pictures or settings begin anew. The result does not depend on the number of processes. Of files
    with the same bytes, the first is kept.

    Args:
        root: Folder that the files are relative to.
        files: Pictures.
        finding: How faces are found; None looks for none.
        folder: Folder of the index, which is made.
        workers: Processes of one thread each.

    Raises:
        ValueError: If nothing is left, or there are no workers.
        MissingWeightsError: If weights are not there and cannot be fetched.
        OSError: If the folder cannot be written, or a process ended before its work.
    """
    place = folder / PARTS / _fingerprint(root, files, finding)
    for other in (folder / PARTS).glob("*"):
        if other != place:
            shutil.rmtree(other)
    place.mkdir(parents=True, exist_ok=True)
    tasks = [
        PartTask(root, tuple(files[start : start + PICTURES]), finding, place / f"{start:09d}.parquet")
        for start in range(0, len(files), PICTURES)
    ]
    missing = [task for task in tasks if not task.part.is_file()]
    if missing and finding is not None:
        _built(finding)  # one process fetches weights, and says what is missing, before there are many
    for _ in tracked(in_processes(do_part, missing, workers), "Looking at pictures", len(missing)):
        pass
    return _without_copies([picture for task in tasks for picture in read_part(task.part)])


def do_part(task: PartTask) -> None:
    """Look at the pictures of a part and write what is found.

    Raises:
        OSError: If the part cannot be written.
    """
    seeing = FacePass(task.root, None, None)
    if task.finding is not None:
        seeing = FacePass(task.root, *_built(task.finding), task.finding.min_eyes, select_device(task.finding.device))
    write_part([_look(seeing, file) for file in task.files], task.part)


def forget_parts(folder: Path) -> None:
    """Remove what a pass has kept in the folder of an index."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)


@lru_cache(maxsize=1)
def _built(finding: FindingFaces) -> tuple[Detector, FaceEncoder]:
    """Detector and network of this process."""
    device = select_device(finding.device)
    detector = build_detector(finding.detector, finding.detector_weights, turned=False, device=device)
    return detector, build_identity(finding.identity).to(device)


def _look(seeing: FacePass, file: Photograph) -> SeenPicture | Skipped:
    try:
        return seeing.look(file)
    except (ImageFileError, OSError) as error:
        return Skipped(file.path, str(error))


def _without_copies(looked_at: Sequence[SeenPicture | Skipped]) -> tuple[list[SeenPicture], list[Skipped]]:
    kept: dict[str, SeenPicture] = {}
    skipped: list[Skipped] = []
    for picture in looked_at:
        if isinstance(picture, Skipped):
            skipped.append(picture)
            continue
        same = kept.setdefault(picture.uid, picture)
        if same is not picture:
            path = picture.photograph.path
            skipped.append(Skipped(path, f"{path} is the same file as {same.photograph.path}."))
    if not kept:
        raise ValueError(f"None of {len(looked_at)} pictures can be used. The first: {skipped[0].reason}")
    return list(kept.values()), skipped


def _fingerprint(root: Path, files: Sequence[Photograph], finding: FindingFaces | None) -> str:
    """Name for a pass: another one where files were changed or the settings are others; the device may change."""
    settings = None if finding is None else {**asdict(finding), "device": None}
    times = {name: (root / name).stat().st_mtime_ns for name in {file.archive or file.path for file in files}}
    rows = [[*file[:4], times[file.archive or file.path]] for file in files]
    return sha256(json.dumps([str(root.resolve()), settings, rows]).encode()).hexdigest()[:16]
