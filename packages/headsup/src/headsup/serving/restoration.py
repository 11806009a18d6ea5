"""Restoring one photograph of the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceops.images.decoding import open_image
from faceops.images.files import save_picture
from faceops.images.format_limits import check_sides
from headsup.model.one_step import OneStepRestorer
from headsup.restoring.expressions import expression_notes
from headsup.restoring.photo_restorer import PhotoRestorer, Restored
from headsup.restoring.picture_restoration import (
    Setup,
    decoded_input,
    detect_and_match,
    first_of_several,
    measured_faces,
    notes_on_input_itself,
    restored_by,
)
from headsup.restoring.references.face_recognition import FaceRecognition
from headsup.restoring.references.matching import Match
from headsup.restoring.references.people_summary import notes_on_unused
from headsup.restoring.references.reference_errors import Reason, UnusedReferencesError
from headsup.restoring.references.reference_people import People, load_people
from headsup.serving.photo_job import ForceableError, Outcome, PhotoJob
from headsup.serving.preview import save_shown

WITHOUT = "Restore without references"

OFFERS: dict[Reason, tuple[str, str]] = {
    "no face": (" Mark the face on the photograph above, or go on without references.", WITHOUT),
    "strangers": ("", "It is the same person, use the references anyway"),
    "no reference face": ("", WITHOUT),
}
"""Advice where references cannot be used: a sentence, and the button that continues anyway."""


class PhotoRestoration:
    """Restores the photographs of the page.

    Args:
        recognition: Networks for faces; without the one that finds them there are no references, and without the one
            that tells people apart no similarities.
    """

    def __init__(self, restorer: PhotoRestorer, recognition: FaceRecognition | None) -> None:
        self.restorer, self.recognition = restorer, recognition
        self._hooks = StageHooks(restorer.restorer)

    def __call__(self, job: PhotoJob) -> Outcome:
        """Restore a photograph and write what the page shows and gives.

        Raises:
            ForceableError: If the references do not fit, and it is not forced.
            CancelledError: If nobody wants it any more.
            ValueError: If a picture cannot be read or restored.
        """
        assert job.photo is not None
        assert job.request is not None
        wanted = job.request
        self._hooks.watch(job)
        job.enter("Reading")
        read = decoded_input(open_image(job.photo.path.read_bytes(), job.photo.path.name))
        picture, size = read.picture, read.size
        check_sides(Path(result_name(job)), *wanted.options.target(*size))
        try:
            people = self._people(job, wanted.force)
            job.enter("Looking for faces")
            setup = Setup(
                self.restorer,
                wanted.options,
                people.people,
                self.recognition,
                wanted.face_box,
                wanted.force,
                scores=True,
            )
            seen, matching = detect_and_match(picture, setup, job.photo.path.name)
        except UnusedReferencesError as error:
            advice, offer = OFFERS[error.reason]
            raise ForceableError(f"{error}{advice}", offer) from error
        restored = restored_by(setup, picture, seen, matching)
        job.enter("Comparing the faces")
        faces = measured_faces(setup, seen, matching, restored, size)
        job.enter("Writing")
        result, before, after = written(job, restored)
        height, width = restored.picture.pixels.shape[1:]
        references = written_references(job, matching.matches)
        notes = (
            *first_of_several(read.count),
            *people.notes,
            *matching.notes,
            *notes_on_unused(matching.unused),
            *notes_on_input_itself(matching, read.data, size),
            *expression_notes(picture.pixels, seen, matching.matches),
        )
        return Outcome(result, before, after, (width, height), tuple(faces), references, notes, picture.has_metadata)

    def _people(self, job: PhotoJob, force: bool) -> People:
        """Whom the references of a job show."""
        if self.recognition is None:
            return People()
        paths = [upload.path for upload in job.references]
        return load_people(paths, self.recognition, force, begin=lambda path: job.enter(f"Looking at {path.name}"))


def result_name(job: PhotoJob) -> str:
    """Name of the file that the page gives."""
    assert job.photo is not None
    return f"{job.photo.path.stem}-restored{job.photo.suffix}"


def written(job: PhotoJob, restored: Restored) -> tuple[Path, Path, Path]:
    """Write the result, and what the page shows before and after."""
    assert job.photo is not None
    picture = restored.picture
    result = job.folder / result_name(job)
    save_picture(picture, result)
    before = save_shown(restored.enlarged, picture.alpha, job.folder / "before")
    return result, before, save_shown(picture.pixels, picture.alpha, job.folder / "after")


def written_references(job: PhotoJob, matches: Sequence[Match | None]) -> tuple[Path | None, ...]:
    """Write the faces of the references as the restorer saw them."""
    return tuple(
        None if match is None else save_shown(match.photo.face, None, job.folder / f"face{number}")
        for number, match in enumerate(matches)
    )


class StageHooks:
    """Tells the job in work what its restorer does, and stops it at the next layer once it is cancelled.

    Args:
        restorer: Restorer whose layers are watched from now on.
    """

    def __init__(self, restorer: OneStepRestorer) -> None:
        self._job: PhotoJob | None = None
        self._parts = 0
        for module in restorer.modules():
            module.register_forward_pre_hook(self._check)
        # with little memory the autoencoder runs in tiles, and only its layers are called
        restorer.vae.encoder.conv_in.register_forward_pre_hook(lambda *_: self._enter("Encoding"))
        restorer.unet.register_forward_pre_hook(self._denoising)
        restorer.vae.decoder.conv_in.register_forward_pre_hook(lambda *_: self._enter("Decoding"))

    def watch(self, job: PhotoJob) -> None:
        """The job that is in work from now on."""
        self._job, self._parts = job, 0

    def _check(self, *_: Any) -> None:  # noqa: ANN401 - as torch calls hooks
        if self._job is not None:
            self._job.check()

    def _denoising(self, *_: Any) -> None:  # noqa: ANN401 - as torch calls hooks
        self._parts += 1
        self._enter("Restoring" if self._parts == 1 else f"Restoring, part {self._parts}")

    def _enter(self, stage: str) -> None:
        if self._job is not None:
            self._job.enter(stage)
