"""Restoring one photograph with photographs of the people in it, all in memory: for pipelines, nodes and pages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceops.heard_warnings import heard_warnings
from faceops.images.files import Picture
from headsup.restoring.options import DEFAULT_OPTIONS, REFERENCES_IGNORED, RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, Restored
from headsup.restoring.picture_restoration import Setup, check_size, detect_and_match, restored_by
from headsup.restoring.references.face_recognition import load_recognition
from headsup.restoring.references.people_summary import notes_on_unused
from headsup.restoring.references.reference_files import ReferenceFile
from headsup.restoring.references.reference_people import People, people_of

NAME = "the image"
"""What messages call the photograph."""


@dataclass(frozen=True, eq=False)
class RestoredPhotograph:
    """A restored photograph, and what is to be said of it and its references."""

    restored: Restored
    notes: tuple[str, ...]
    """Sentences for a person."""


def restore_photograph(
    restorer: PhotoRestorer,
    picture: Picture,
    references: Sequence[bytes] = (),
    options: RestoreOptions = DEFAULT_OPTIONS,
    force: bool = False,
) -> RestoredPhotograph:
    """Restore a photograph; warnings become notes.

    Args:
        picture: Photograph of any size.
        references: Image files of the people in it. The networks that find and recognise faces are then fetched, unless
            the strength of references is 0.
        options: Scale, fidelity, colour and so on.
        force: Use references that seem to show someone else, and continue where no face is detected.

    Raises:
        UnusedReferencesError: If the references fit none of its faces, and it is not forced.
        ValueError: If the result would be too large, or the memory is too small.
    """
    with heard_warnings() as heard:
        made = _restored(restorer, picture, references, options, force)
    return replace(made, notes=(*made.notes, *heard))


def _restored(
    restorer: PhotoRestorer, picture: Picture, references: Sequence[bytes], options: RestoreOptions, force: bool
) -> RestoredPhotograph:
    """Restore a photograph, see `restore_photograph`."""
    check_size((picture.pixels.shape[1], picture.pixels.shape[2]), options, NAME)
    recognition = load_recognition(fetch=True) if references and not options.ignores_references else None
    found = People(notes=(REFERENCES_IGNORED,) if references and options.ignores_references else ())
    if recognition is not None:
        names = [Path(f"reference {number}") for number in range(1, len(references) + 1)]
        photographs = ((ReferenceFile(name, name), data) for name, data in zip(names, references, strict=True))
        found = people_of(photographs, [f"{len(references)} images"], recognition, force)
    setup = Setup(restorer, options, found.people, recognition, force=force)
    seen, matching = detect_and_match(picture, setup, NAME)
    restored = restored_by(setup, picture, seen, matching)
    return RestoredPhotograph(restored, (*found.notes, *matching.notes, *notes_on_unused(matching.unused)))
