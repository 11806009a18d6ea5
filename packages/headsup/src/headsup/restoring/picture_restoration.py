"""One picture file in, one picture file out: what `headsup restore` and `headsup blend` do for each."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from faceops.images.decoding import MAX_PIXELS, open_header
from faceops.images.errors import DECODING_ERRORS
from faceops.images.files import Picture, decode_picture, read_image_file, save_picture
from faceops.images.format_limits import check_sides
from faceops.images.jobs import Job
from headsup.restoring.blending import FACE_SIZE, blend
from headsup.restoring.comparison import comparison_sheet
from headsup.restoring.expressions import expression_notes
from headsup.restoring.face_scores import face_records
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, Restored, measured
from headsup.restoring.references.face_recognition import EmbeddedFaces, FaceRecognition, detect_and_embed
from headsup.restoring.references.matching import (
    Matching,
    match_people,
    note_on_input_itself,
    only_largest,
    reference_faces,
)
from headsup.restoring.references.reference_errors import with_cli_advice
from headsup.restoring.references.reference_people import Person
from headsup.restoring.report import FaceRecord, PictureRecord

STAGES = ("read", "faces", "encode", "denoise", "decode", "paste", "write", "scores")
"""Stages whose seconds a report gives, in order; "paste" only where faces are pasted."""

NO_FACE = "No face was found, so the picture is what the general restorer makes of it."
"""Note of blending where no face is found."""


@dataclass(frozen=True, eq=False)
class Setup:
    """Setup that all images of a run share."""

    restorer: PhotoRestorer
    options: RestoreOptions
    people: Sequence[Person] = ()
    """Whose faces may be in the pictures."""
    recognition: FaceRecognition | None = None
    """Networks, if faces are looked for; there must be some if there are people."""
    face_box: tuple[float, float, float, float] | None = None
    """The only face that counts, in pixels of the input."""
    force: bool = False
    """See `headsup.restoring.references.matching.match_people`."""
    scores: bool = False
    """True if faces are measured for a report."""
    face: PhotoRestorer | None = None
    """Restorer of faces, which are pasted over what `restorer` makes of the whole, see `headsup.restoring.blending`.
    There must be networks then, and there are no people. None if `restorer` does all."""
    face_size: int = FACE_SIZE
    """Side of these faces in pixels."""


def restore_file(job: Job, setup: Setup) -> PictureRecord:
    """Restore one picture and write what the job wants.

    Returns:
        What became of it, to be reported.

    Raises:
        UnusedReferencesError: If the references fit none of its faces, and it is not forced.
        ValueError: If the picture cannot be read or restored.
    """
    seconds: dict[str, float] = {}
    with measured(seconds, "read"):
        data = read_image_file(job.source)
        picture = decode_picture(data, str(job.source))
        size = picture.pixels.shape[1], picture.pixels.shape[2]
        check_size(size, setup.options)
        check_sides(job.output, *setup.options.target(*size))
        if setup.options.strip_metadata:
            picture = picture.without_metadata()
    with measured(seconds, "faces"), with_cli_advice():
        seen, matching = detect_and_match(picture, setup, str(job.source))
        remark = setup.options.remark(*size)
        notes = [] if remark is None else [remark]
        notes += [*first_of_several(data), *matching.notes, *notes_on_input_itself(matching, data, size)]
        notes += expression_notes(picture.pixels, seen, matching.matches)
    restored = restored_by(setup, picture, seen, matching)
    with measured(seconds, "scores"):
        faces = measured_faces(setup, seen, matching, restored, size)
    with measured(seconds, "write"):
        for target in job.targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        if job.sheet is not None:
            save_picture(Picture(comparison_sheet(restored, size, seen, matching.matches)), job.sheet)
        save_picture(restored.picture, job.output)  # last: what has a result is not done again
    height, width = restored.picture.pixels.shape[1:]
    taken = seconds | restored.seconds
    return PictureRecord(
        str(job.source),
        str(job.output),
        "restored",
        input_size=(size[1], size[0]),
        output_size=(width, height),
        seconds={name: taken[name] for name in STAGES if name in taken},
        faces=faces,
        notes=notes,
    )


def check_size(size: tuple[int, int], options: RestoreOptions) -> None:
    """Refuse results so large that no one could read them.

    Args:
        size: Height and width of the input.

    Raises:
        ValueError: If the result would have more pixels than `faceops.images.files.load_picture` reads.
    """
    height, width = options.target(*size)
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"The result would have {width} x {height} pixels, which is more than {MAX_PIXELS // 10**6} megapixels; "
            "give a smaller --scale, or the --size wanted."
        )


def detect_and_match(picture: Picture, setup: Setup, name: str) -> tuple[EmbeddedFaces | None, Matching]:
    """Find the faces of a picture and whose they are; None if nobody looks.

    Args:
        name: What messages call the picture.

    Raises:
        UnusedReferencesError: If the references fit none of the faces, and it is not forced.
        ValueError: If the given face is not within the picture.
    """
    if setup.recognition is None:
        return None, Matching((), ())
    seen = detect_and_embed(picture.pixels, setup.recognition, setup.face_box)
    if not setup.people:
        nothing_to_paste = setup.face is not None and len(seen) == 0
        return seen, Matching((None,) * len(seen), (NO_FACE,) if nothing_to_paste else ())
    matching = match_people(seen, setup.people, name, setup.force)
    return seen, only_largest(matching) if setup.restorer.layout == "whole" else matching


def restored_by(setup: Setup, picture: Picture, seen: EmbeddedFaces | None, matching: Matching) -> Restored:
    """The picture, restored by the one restorer with what references there are, or blended."""
    if setup.face is None:
        return setup.restorer(picture, setup.options, None if seen is None else reference_faces(seen, matching))
    assert seen is not None
    return blend(setup.restorer, setup.face, picture, setup.options, seen.faces, setup.face_size)


def measured_faces(
    setup: Setup, seen: EmbeddedFaces | None, matching: Matching, restored: Restored, size: tuple[int, int]
) -> list[FaceRecord]:
    """Report entries of the faces; none without a report or without face detection."""
    if not setup.scores or seen is None or setup.recognition is None:
        return []
    pasted = None if setup.face is None else setup.face_size
    return face_records(seen, matching.matches, restored, size, setup.recognition, pasted)


def first_of_several(data: bytes) -> list[str]:
    """A sentence if a file holds several pictures, an animation say, since only the first is read.

    Args:
        data: The whole file, whose first picture can be read.
    """
    image = open_header(io.BytesIO(data), "")
    try:
        count = getattr(image, "n_frames", 1)
    except DECODING_ERRORS:  # what follows the first picture is damaged
        return []
    # telephones put small copies behind a JPEG, which nobody misses
    if count == 1 or image.format == "MPO":
        return []
    return [f"The file holds {count} pictures, and the first is restored."]


def notes_on_input_itself(matching: Matching, data: bytes, size: tuple[int, int]) -> list[str]:
    """Sentences about references that are the input itself."""
    digest = hashlib.sha256(data).hexdigest()
    sentences = (note_on_input_itself(match, digest, size) for match in matching.matches if match is not None)
    return [sentence for sentence in sentences if sentence is not None]
