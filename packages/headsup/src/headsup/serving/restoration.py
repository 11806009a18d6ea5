"""Restoring one photograph of the page."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images import Picture, decode_picture, save_picture
from headsup.restoring.comparison import reduced
from headsup.restoring.face_recognition import FaceRecognition, SeenFaces, see_faces
from headsup.restoring.face_scores import face_records
from headsup.restoring.matching import (
    FLOOR,
    Matching,
    UnusedReferencesError,
    match_people,
    only_largest,
    reference_faces,
)
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.picture_restoration import own_pictures
from headsup.restoring.reference_people import Person, group_people, load_reference
from headsup.serving.photo_job import ForceableError, Outcome, PhotoJob
from headsup.serving.stage_hooks import StageHooks
from headsup.serving.uploads import Upload

SHOWN_SIDE = 2560
"""Longer side in pixels up to which the page shows pictures; the result itself is downloaded."""

WITHOUT = "Restore without them"


class PhotoRestoration:
    """Restores the photographs of the page.

    Args:
        restorer: Restorer.
        recognition: Networks for faces; without them there are no references and no similarities.
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
            OSError: If a file cannot be written.
        """
        assert job.photo is not None
        assert job.order is not None
        self._hooks.watch(job)
        job.enter("Reading")
        data = job.photo.path.read_bytes()
        picture = decode_picture(data, job.photo.name)
        size = picture.pixels.shape[1], picture.pixels.shape[2]
        seen, matching = self._look(job, picture)
        notes = [in_words_of_the_page(note) for note in (*matching.notes, *own_pictures(matching, data, size))]
        references = None if seen is None else reference_faces(seen, matching)
        restored = self.restorer(picture, job.order.options, references)
        job.enter("Comparing the faces")
        faces = []
        if seen is not None and self.recognition is not None:
            faces = face_records(seen, matching.matches, restored, size, self.recognition)
        job.enter("Writing")
        result = job.folder / f"{job.photo.path.stem}-restored{job.photo.suffix}"
        save_picture(restored.picture, result)
        before = save_shown(restored.enlarged, restored.picture.alpha, job.folder / "before")
        after = save_shown(restored.picture.pixels, restored.picture.alpha, job.folder / "after")
        height, width = restored.picture.pixels.shape[1:]
        return Outcome(result, before, after, (width, height), tuple(faces), tuple(notes))

    def _look(self, job: PhotoJob, picture: Picture) -> tuple[SeenFaces | None, Matching]:
        """Faces of the photograph and whose they are; None if the networks are not there."""
        assert job.photo is not None
        assert job.order is not None
        if self.recognition is None:
            return None, Matching((), ())
        job.enter("Looking for faces")
        seen = see_faces(picture.pixels, self.recognition)
        people, notes = load_people(job.references, self.recognition, job)
        if not people:
            return seen, Matching((None,) * len(seen), notes)
        matching = match_faces(seen, people, job.photo.name, job.order.force)
        if self.restorer.layout == "whole":
            matching = only_largest(matching)
        return seen, Matching(matching.matches, (*notes, *matching.notes))


def load_people(
    uploads: Sequence[Upload], recognition: FaceRecognition, job: PhotoJob
) -> tuple[list[Person], tuple[str, ...]]:
    """People of the references, and sentences about photographs that show no face.

    Raises:
        ForceableError: If none shows a face, and it is not forced.
        ImageFileError: If one cannot be read.
    """
    photos, notes = [], []
    for upload in uploads:
        job.enter(f"Looking at {upload.name}")
        photo = load_reference(upload.path, recognition)
        if photo is None:
            notes.append(f"No face was found in {upload.name}, so it is not used.")
        else:
            photos.append(photo)
    if uploads and not photos and job.order is not None and not job.order.force:
        names = ", ".join(upload.name for upload in uploads)
        raise ForceableError(f"No face was found in any of the references ({names}).", WITHOUT)
    return group_people(photos, recognition.threshold) if photos else [], tuple(notes)


def match_faces(seen: SeenFaces, people: Sequence[Person], name: str, force: bool) -> Matching:
    """What `headsup.restoring.matching.match_people` gives; what it refuses is said in words of the page.

    Raises:
        ForceableError: If there is no face, or none like anybody of the references, and it is not forced.
    """
    try:
        return match_people(seen, people, name, force)
    except UnusedReferencesError as error:
        if len(seen) == 0:
            sentence = f"No face was found in {name}, so the references are of no use."
            raise ForceableError(sentence, WITHOUT) from error
        alike = seen.embeddings @ torch.stack([person.embedding for person in people]).mT
        sentence = (
            f"Nobody in {name} is like the references: the similarity is {alike.max().item():.2f} at best, and "
            f"{FLOOR:.2f} is wanted. Either it is somebody else, or too little is left of the face to tell."
        )
        them = "it" if sum(len(person.photos) for person in people) == 1 else "them"
        raise ForceableError(sentence, f"It is the same person, use {them} anyway") from error


def in_words_of_the_page(note: str) -> str:
    """A sentence of the command line, without its options.

    Example:
        >>> in_words_of_the_page("The face is taken for a.png (similarity 0.10) because of --force.")
        'The face is taken for a.png (similarity 0.10) because you said so.'
    """
    return note.replace("because of --force", "because you said so")


def save_shown(pixels: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"] | None, path: Path) -> Path:
    """Write a picture as browsers show it, reduced if it is large: JPEG, or WebP if it is transparent.

    Args:
        pixels: RGB in [0, 1].
        alpha: Opacity, if it is transparent.
        path: Where, without a suffix.

    Returns:
        The file.
    """
    shown = reduced(pixels, SHOWN_SIDE)
    if alpha is None:
        path = path.with_suffix(".jpg")
        save_picture(Picture(shown), path)
    else:
        path = path.with_suffix(".webp")
        opacity = reduced(alpha.expand(3, -1, -1), SHOWN_SIDE)[:1]
        save_picture(Picture(shown, alpha=opacity), path)
    return path
