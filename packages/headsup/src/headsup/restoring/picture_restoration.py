"""One picture file in, one picture file out: what `headsup restore` does for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from faceops.image_decoding import MAX_PIXELS
from faceops.images import Picture, decode_picture, read_image_file, save_picture
from headsup.restoring.comparison import comparison_sheet
from headsup.restoring.face_recognition import FaceRecognition, SeenFaces, see_faces
from headsup.restoring.face_scores import face_records
from headsup.restoring.jobs import Job
from headsup.restoring.matching import Matching, match_people, only_largest, own_picture, reference_faces
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, Restored, measured
from headsup.restoring.reference_people import Person
from headsup.restoring.report import FaceRecord, PictureRecord

STAGES = ("read", "faces", "encode", "denoise", "decode", "write", "scores")
"""What the seconds of a report are given for, in their order."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What all pictures of a run share."""

    restorer: PhotoRestorer
    options: RestoreOptions
    people: Sequence[Person] = ()
    """Whose faces may be in the pictures."""
    recognition: FaceRecognition | None = None
    """Networks, if faces are looked for; there must be some if there are people."""
    face_box: tuple[float, float, float, float] | None = None
    """The only face that counts, in pixels of the input."""
    force: bool = False
    """See `headsup.restoring.matching.match_people`."""
    scores: bool = False
    """Whether faces are measured for a report."""


def restore_file(job: Job, setup: Setup) -> PictureRecord:
    """Restore one picture and write what the job wants.

    Returns:
        What became of it, to be reported.

    Raises:
        ValueError: If the picture cannot be read or restored, or the references fit none of its faces.
        OSError: If a file cannot be read or written.
    """
    seconds: dict[str, float] = {}
    with measured(seconds, "read"):
        data = read_image_file(job.source)
        picture = decode_picture(data, str(job.source))
        size = picture.pixels.shape[1], picture.pixels.shape[2]
        check_size(size, setup.options)
    with measured(seconds, "faces"):
        seen, matching = look(picture, setup, str(job.source))
        notes = [*matching.notes, *own_pictures(matching, data, size)]
    references = None if seen is None else reference_faces(seen, matching)
    restored = setup.restorer(picture, setup.options, references)
    with measured(seconds, "write"):
        job.output.parent.mkdir(parents=True, exist_ok=True)
        save_picture(restored.picture, job.output)
        if job.sheet is not None:
            job.sheet.parent.mkdir(parents=True, exist_ok=True)
            save_picture(Picture(comparison_sheet(restored, size, seen, matching.matches)), job.sheet)
    with measured(seconds, "scores"):
        faces = measured_faces(setup, seen, matching, restored, size)
    height, width = restored.picture.pixels.shape[1:]
    taken = seconds | restored.seconds
    return PictureRecord(
        str(job.source),
        str(job.output),
        "restored",
        input_size=(size[1], size[0]),
        output_size=(width, height),
        seconds={name: taken[name] for name in STAGES},
        faces=faces,
        notes=notes,
    )


def check_size(size: tuple[int, int], options: RestoreOptions) -> None:
    """Refuse results so large that no one could read them.

    Args:
        size: Height and width of the input.
        options: How it is restored.

    Raises:
        ValueError: If the result would have more pixels than `faceops.images.load_picture` reads.
    """
    height, width = options.target(*size)
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"The result would have {width} x {height} pixels, which is more than {MAX_PIXELS // 10**6} megapixels; "
            "give a smaller --scale, or the --size wanted."
        )


def look(picture: Picture, setup: Setup, name: str) -> tuple[SeenFaces | None, Matching]:
    """Find the faces of a picture and whose they are; None if nobody looks.

    Raises:
        ValueError: If the references fit none of the faces.
    """
    if setup.recognition is None:
        return None, Matching((), ())
    seen = see_faces(picture.pixels, setup.recognition, setup.face_box)
    if not setup.people:
        return seen, Matching((None,) * len(seen), ())
    matching = match_people(seen, setup.people, name, setup.force)
    return seen, only_largest(matching) if setup.restorer.layout == "whole" else matching


def measured_faces(
    setup: Setup, seen: SeenFaces | None, matching: Matching, restored: Restored, size: tuple[int, int]
) -> list[FaceRecord]:
    """What a report says of the faces; nothing without a report."""
    if not setup.scores or seen is None or setup.recognition is None:
        return []
    return face_records(seen, matching.matches, restored, size, setup.recognition)


def own_pictures(matching: Matching, data: bytes, size: tuple[int, int]) -> list[str]:
    """Sentences about references that are the input itself."""
    digest = hashlib.sha256(data).hexdigest()
    sentences = (own_picture(match, digest, size) for match in matching.matches if match is not None)
    return [sentence for sentence in sentences if sentence is not None]
