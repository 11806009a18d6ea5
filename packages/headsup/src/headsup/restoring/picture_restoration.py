"""One picture file in, one picture file out: what `headsup restore` does for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from faceops.images.decoding import MAX_PIXELS, EncodedImage, open_image, picture_count, picture_size
from faceops.images.files import Picture, decode_image, save_picture
from faceops.images.format_limits import check_sides
from faceops.images.job_files import pipe_on, read_source
from faceops.images.jobs import Job
from faceops.images.memory_budget import DECODING_BYTES, check_memory
from headsup.restoring.comparison import comparison_sheet
from headsup.restoring.expressions import expression_notes
from headsup.restoring.face_scores import face_records
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, Restored
from headsup.restoring.references.face_recognition import EmbeddedFaces, FaceRecognition, detect_and_embed
from headsup.restoring.references.matching import (
    Matching,
    match_people,
    note_on_input_itself,
    only_largest,
    reference_faces,
)
from headsup.restoring.references.ordered_matching import match_in_order
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import with_cli_advice
from headsup.restoring.report import FaceRecord, PictureRecord
from headsup.restoring.stages import STAGES, measured


@dataclass(frozen=True, eq=False)
class Setup:
    """Setup that all images of a run share."""

    restorer: PhotoRestorer
    options: RestoreOptions
    people: Sequence[Person] = ()
    """Whose faces may be in the pictures."""
    recognition: FaceRecognition | None = None
    """Networks, if faces are looked for; there must be some if there are people. Without the one that tells people
    apart, the order of the people decides."""
    face_box: tuple[float, float, float, float] | None = None
    """The only face that counts, in pixels of the input."""
    force: bool = False
    """See `headsup.restoring.references.matching.match_people`."""
    scores: bool = False
    """True if faces are measured for a report."""


@dataclass(frozen=True, eq=False)
class Input:
    """A picture file that is read."""

    data: bytes
    """The whole file."""
    picture: Picture
    count: int
    """Pictures in the file, of which this is the first."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.picture.pixels.shape[1:]
        return height, width


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
        read = read_input(job, setup.options)
    picture, size = read.picture, read.size
    with measured(seconds, "faces"), with_cli_advice():
        seen, matching = detect_and_match(picture, setup, str(job.source))
        notes = [*notes_on_file(read, setup.options), *matching.notes]
        notes += notes_on_input_itself(matching, read.data, size)
        notes += expression_notes(picture.pixels, seen, matching.matches)
    restored = restored_by(setup, picture, seen, matching)
    with measured(seconds, "scores"):
        faces = measured_faces(setup, seen, matching, restored, size)
    with measured(seconds, "write"):
        record = write_results(job, restored, size, seen, matching)
    seconds = in_order(seconds | restored.seconds)
    used = photographs_used(setup.restorer, matching)
    return replace(record, seconds=seconds, faces=faces, notes=notes, used=used, unused=matching.unused)


def read_input(job: Job, options: RestoreOptions) -> Input:
    """The file of a picture, and the picture.

    Raises:
        ValueError: If it cannot be read, or the result would be too large.
        OSError: Likewise.
    """
    name = str(job.source)
    file = open_image(read_source(job), name)
    size = picture_size(file)
    check_size(size, options, name)
    check_sides(job.output, *options.target(*size))
    return decoded_input(file, options)


def decoded_input(file: EncodedImage, options: RestoreOptions) -> Input:
    """What is read of a picture file, without metadata where these are to be left out.

    Raises:
        ImageFileError: See `faceops.images.files.load_picture`.
    """
    picture = decode_image(file)
    if options.strip_metadata:
        picture = picture.without_metadata()
    return Input(file.data, picture, picture_count(file))


def notes_on_file(read: Input, options: RestoreOptions) -> list[str]:
    """Sentences about a file and the size of its result, whoever is in it."""
    remark = options.remark(*read.size)
    return [*([] if remark is None else [remark]), *first_of_several(read.count)]


def write_results(
    job: Job, restored: Restored, size: tuple[int, int], seen: EmbeddedFaces | None, matching: Matching
) -> PictureRecord:
    """Write the sheet, if there is to be one, and the result.

    Raises:
        OSError: If that is not possible.
    """
    for target in job.targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    if job.sheet is not None:
        save_picture(Picture(comparison_sheet(restored, size, seen, matching.matches)), job.sheet)
    if job.to_stdout:
        pipe_on(restored.picture)
    else:
        save_picture(restored.picture, job.output)  # last: what has a result is not done again
    height, width = restored.picture.pixels.shape[1:]
    return PictureRecord(str(job.source), str(job.output), "restored", (size[1], size[0]), (width, height))


def in_order(seconds: dict[str, float]) -> dict[str, float]:
    """Times of the stages, in the order of `STAGES`."""
    return {name: seconds[name] for name in STAGES if name in seconds}


def check_size(size: tuple[int, int], options: RestoreOptions, name: str) -> None:
    """Refuse results so large that no one could read them, or that the memory does not hold.

    Args:
        size: Height and width of the input, as its header says.
        options: How it is restored.
        name: What messages call the picture.

    Raises:
        ValueError: If the result would have more pixels than `faceops.images.files.load_picture` reads, or take more
            memory than there is.
    """
    height, width = options.target(*size)
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"The result would have {width} x {height} pixels, which is more than {MAX_PIXELS // 10**6} megapixels; "
            "give a smaller --scale, or the --size wanted."
        )
    check_memory(f"The result of {name}", (width, height), DECODING_BYTES)


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
        return seen, Matching((None,) * len(seen), ())
    if seen.embeddings is None:
        matching = match_in_order(seen, setup.people, name, setup.face_box is not None, setup.force)
    else:
        matching = match_people(seen, setup.people, name, setup.force)
    return seen, only_largest(matching) if setup.restorer.layout == "whole" else matching


def restored_by(setup: Setup, picture: Picture, seen: EmbeddedFaces | None, matching: Matching) -> Restored:
    """The picture, restored with what references there are."""
    return setup.restorer(picture, setup.options, None if seen is None else reference_faces(seen, matching))


def photographs_used(restorer: PhotoRestorer, matching: Matching) -> dict[str, list[str]]:
    """Photographs that the restorer saw of each person in a picture, by the person's name."""
    most = 1 if restorer.restorer.attention is None else None  # laid down, the first of each person counts
    used: dict[str, list[str]] = {}
    for match in matching.matches:
        if match is not None:
            used.setdefault(match.person.name, []).extend(str(photo.path) for photo in match.photos[:most])
    return used


def measured_faces(
    setup: Setup, seen: EmbeddedFaces | None, matching: Matching, restored: Restored, size: tuple[int, int]
) -> list[FaceRecord]:
    """Report entries of the faces; none without a report or without face detection."""
    if not setup.scores or seen is None or setup.recognition is None:
        return []
    return face_records(seen, matching.matches, restored, size, setup.recognition)


def first_of_several(count: int) -> list[str]:
    """A sentence if a file holds several pictures, an animation say, since only the first is read."""
    return [] if count == 1 else [f"The file holds {count} pictures, and the first is restored."]


def notes_on_input_itself(matching: Matching, data: bytes, size: tuple[int, int]) -> list[str]:
    """Sentences about references that are the input itself."""
    digest = hashlib.sha256(data).hexdigest()
    sentences = (note_on_input_itself(match, digest, size) for match in matching.matches if match is not None)
    return [sentence for sentence in sentences if sentence is not None]
