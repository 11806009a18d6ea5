"""Inputs and truths of a test set that somebody gives, in memory and as files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import torch

from benchmarks.given.planned_tests import PlannedSet
from benchmarks.headsup.samples import Sample, as_sample
from faceops.detection.detector import Detector
from faceops.images.files import Picture, save_picture
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.restoration.paired_images import PairedImages


class GivenSamples:
    """Pictures of a test set, one after the other.

    Those of an index are degraded here, and written in the layout hq, lq, reference, for other software too.

    Args:
        planned: The set.
        folder: Where pictures of an index are written.
        limit: Use only this many, evenly spread.
        detector: Finds the faces of portraits in pairs of files, which no index knows.

    Raises:
        ValueError: If nothing is left.
    """

    def __init__(self, planned: PlannedSet, folder: Path, limit: int | None, detector: Detector | None) -> None:
        self.planned, self.folder, self.detector = planned, folder, detector
        given = planned.given
        self.data: EvaluationPairs | PairedImages
        if planned.index is not None:
            self.data = EvaluationPairs(planned.index, given.size, given.scale, given.preset, limit=limit)
            self.has_references = bool(len(self.data.index.pairs))
            self.numbers = list(range(len(self.data)))
        else:
            self.data = PairedImages(given.folder, given.hq, given.lq, given.reference, detector=detector)
            self.has_references = self.data.has_references and (planned.task == "faces" or detector is not None)
            count = len(self.data) if limit is None else min(limit, len(self.data))
            self.numbers = [number * len(self.data) // count for number in range(count)]

    @property
    def places(self) -> tuple[Path, Path]:
        """Folders of truths and inputs."""
        return (self.folder / "hq", self.folder / "lq") if self.planned.files is None else self.planned.files.places

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[tuple[Sample, Path, Path]]:
        """Each sample with the files of its truth and its input; names are unique and have the folders of the files."""
        used: set[str] = set()
        for number in self.numbers:
            item = self.data[number]
            sample = as_sample(item, aligned=self.planned.task == "faces")
            if self.planned.files is not None:
                files = self.planned.files
                yield replace(self._with_face(sample), name=item.name), files.hq[item.name], files.lq[item.name]
                continue
            name = PurePosixPath(item.name.lstrip("/")).with_suffix("").as_posix()
            name = f"{name}-{number}" if name in used else name
            used.add(name)
            yield self._written(replace(sample, name=name))

    def _with_face(self, sample: Sample) -> Sample:
        if len(sample.face) or self.detector is None or self.planned.task != "portraits":
            return sample
        with torch.inference_mode():
            return replace(sample, face=self.detector(sample.truth.unsqueeze(0)).largest())

    def _written(self, sample: Sample) -> tuple[Sample, Path, Path]:
        hq, lq, reference = (self.folder / part / f"{sample.name}.png" for part in ("hq", "lq", "reference"))
        write_picture(Picture(sample.truth), hq)
        write_picture(Picture(sample.low), lq)
        if sample.reference is not None:
            write_picture(Picture(sample.reference), reference)
        return sample, hq, lq


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture into a folder that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(picture, path)
