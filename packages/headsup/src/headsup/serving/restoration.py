"""Restoring one photograph of the page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from faceops.heard_warnings import heard_warnings
from faceops.images.decoding import open_image, picture_size
from faceops.images.files import Picture, save_picture
from faceops.images.format_limits import LONGEST_SIDE, check_sides
from faceops.images.memory_budget import DETECTION_BYTES, memory_budget
from headsup.restoring.expressions import expression_notes
from headsup.restoring.options import REFERENCES_IGNORED
from headsup.restoring.photo_restorer import PhotoRestorer, Restored
from headsup.restoring.picture_restoration import (
    Input,
    Setup,
    decoded_input,
    detect_and_match,
    first_of_several,
    measured_faces,
    notes_on_input_itself,
    restored_by,
)
from headsup.restoring.references.face_recognition import EmbeddedFaces, FaceRecognition
from headsup.restoring.references.matching import Match, Matching
from headsup.restoring.references.people_summary import notes_on_unused
from headsup.restoring.references.reference_errors import Reason, UnusedReferencesError
from headsup.restoring.references.reference_people import People, load_people
from headsup.serving.photo_job import ForceableError, Outcome, PhotoJob
from headsup.serving.preview import SHOWN_SIDE, save_shown
from headsup.serving.restore_request import RestoreRequest
from headsup.serving.restorers import Restorers

FULL_SIDE = LONGEST_SIDE[".webp"]
"""Longer side in pixels up to which the page shows every pixel; transparent pictures are shown as WebP."""

WITHOUT = "Restore without references"

OFFERS: dict[Reason, tuple[str, str]] = {
    "no face": (" Mark the face on the photograph above, or go on without references.", WITHOUT),
    "strangers": ("", "It is the same person, use the references anyway"),
    "no reference face": ("", WITHOUT),
}
"""Advice where references cannot be used: a sentence, and the button that continues anyway."""


class Matched(NamedTuple):
    """Faces of a photograph and whose they are."""

    setup: Setup
    seen: EmbeddedFaces | None
    matching: Matching
    notes: tuple[str, ...]
    """Sentences for a person."""


class PhotoRestoration:
    """Restores the photographs of the page.

    Args:
        recognition: Networks for faces; without the one that finds them there are no references, and without the one
            that tells people apart no similarities.
    """

    def __init__(self, restorers: Restorers, recognition: FaceRecognition) -> None:
        self.restorers, self.recognition = restorers, recognition

    def __call__(self, job: PhotoJob) -> Outcome:
        """Restore a photograph and write what the page shows and gives; warnings become notes.

        Raises:
            ForceableError: If the references do not fit, and it is not forced.
            CancelledError: If nobody wants it any more.
            ValueError: If a picture cannot be read or restored.
        """
        with heard_warnings() as heard:
            outcome = self._restored(job)
        return replace(outcome, notes=(*outcome.notes, *map(job.as_known, heard)))

    def _restored(self, job: PhotoJob) -> Outcome:
        """Restore a photograph, see `__call__`."""
        loaded = self.restorers.load_for(job)
        job.enter("Reading")
        with memory_budget(None, DETECTION_BYTES):
            read = read_photograph(job)
            setup, seen, matching, notes = self._matched(job, read, loaded.restorer)
        restored = restored_by(setup, read.picture, seen, matching)
        job.enter("Comparing the faces")
        faces = measured_faces(setup, seen, matching, restored, read.size)
        job.enter("Writing")
        height, width = restored.picture.pixels.shape[1:]
        return Outcome(
            written_result(job, restored.picture),
            *written_views(job, restored, SHOWN_SIDE),
            (width, height),
            tuple(faces),
            written_references(job, matching.matches),
            notes,
            read.picture.has_metadata,
            written_views(job, restored, FULL_SIDE) if max(width, height) > SHOWN_SIDE else None,
        )

    def _matched(self, job: PhotoJob, read: Input, restorer: PhotoRestorer) -> Matched:
        """Find the faces of a photograph and whose they are.

        Raises:
            ForceableError: If the references do not fit, and it is not forced.
        """
        assert job.photo is not None
        assert job.request is not None
        wanted = job.request
        try:
            people = self._people(job, wanted)
            job.enter("Looking for faces")
            setup = Setup(
                restorer, wanted.options, people.people, self.recognition, wanted.face_box, wanted.force, scores=True
            )
            seen, matching = detect_and_match(read.picture, setup, job.photo.path.name)
        except UnusedReferencesError as error:
            advice, offer = OFFERS[error.reason]
            raise ForceableError(f"{error}{advice}", offer) from error
        notes = (
            *first_of_several(read.count),
            *people.notes,
            *matching.notes,
            *notes_on_unused(matching.unused),
            *notes_on_input_itself(matching, read.data, read.size),
            *expression_notes(read.picture.pixels, seen, matching.matches),
        )
        return Matched(setup, seen, matching, notes)

    def _people(self, job: PhotoJob, wanted: RestoreRequest) -> People:
        """Whom the references of a job show; nobody where they do not count."""
        paths = [upload.path for upload in job.references]
        if paths and wanted.options.ignores_references:
            return People(notes=(REFERENCES_IGNORED,))
        return load_people(
            paths,
            self.recognition,
            wanted.force,
            begin=lambda path: job.enter(f"Looking at {path.name}"),
            by_folder=False,  # those of uploads are the server's
        )


def read_photograph(job: PhotoJob) -> Input:
    """The photograph of a job.

    Raises:
        ValueError: If it cannot be read, or the result would be too large for its format.
    """
    assert job.photo is not None
    assert job.request is not None
    options = job.request.options
    file = open_image(job.photo.path.read_bytes(), job.photo.path.name)
    check_sides(Path(result_name(job)), *options.target(*picture_size(file)))
    return decoded_input(file, options)


def result_name(job: PhotoJob) -> str:
    """Name of the file that the page gives."""
    assert job.photo is not None
    assert job.request is not None
    return f"{job.photo.path.stem}-restored{job.request.suffix or job.photo.suffix}"


def written_result(job: PhotoJob, picture: Picture) -> Path:
    """Write the result."""
    path = job.folder / result_name(job)
    save_picture(picture, path)
    return path


def written_views(job: PhotoJob, restored: Restored, side: int) -> tuple[Path, Path]:
    """Write what the page shows before and after, reduced to a longer side of so many pixels if they are larger."""
    alpha = restored.picture.alpha
    before = save_shown(restored.enlarged, alpha, job.folder / f"before{side}", side)
    return before, save_shown(restored.picture.pixels, alpha, job.folder / f"after{side}", side)


def written_references(job: PhotoJob, matches: Sequence[Match | None]) -> tuple[Path | None, ...]:
    """Write the faces of the references as the restorer saw them."""
    return tuple(
        None if match is None else save_shown(match.photo.face, None, job.folder / f"face{number}")
        for number, match in enumerate(matches)
    )
