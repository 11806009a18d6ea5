"""References: photographs that show what people look like, several of one person used together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.files import read_image_file
from headsup.restoring.references.distinct_names import distinctly_named
from headsup.restoring.references.face_recognition import FaceRecognition
from headsup.restoring.references.grouping import people_among
from headsup.restoring.references.people_notes import notes_on_people, notes_on_photographs
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import UnusedReferencesError
from headsup.restoring.references.reference_files import ReferenceFile, reference_files
from headsup.restoring.references.reference_photo import ReferencePhoto, reference_photo


@dataclass(frozen=True, eq=False)
class People:
    """Whom the references show."""

    people: tuple[Person, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences about photographs without a face and with several, and about doubts who is who."""


def load_people(
    paths: Sequence[Path],
    recognition: FaceRecognition,
    force: bool = False,
    begin: Callable[[Path], None] = lambda path: None,
    by_folder: bool = True,
) -> People:
    """Read photographs, and those in folders; of each the largest face counts, and one without a face is left out.

    Args:
        paths: Photographs and folders, see `headsup.restoring.references.reference_files.reference_files`.
        recognition: Networks.
        force: Go on without people where no photograph shows a face.
        begin: Called with each photograph before it is read.
        by_folder: See `people_of`.

    Raises:
        UnusedReferencesError: If no photograph shows a face, and it is not forced.
        ValueError: If a file cannot be read, or a folder holds no picture.
    """

    def photographs() -> Iterator[tuple[ReferenceFile, bytes]]:
        for file in reference_files(paths):
            begin(file.path)
            yield file, read_image_file(file.path)

    return people_of(photographs(), [path.name for path in paths], recognition, force, by_folder)


def people_of(
    photographs: Iterable[tuple[ReferenceFile, bytes]],
    names: Sequence[str],
    recognition: FaceRecognition,
    force: bool = False,
    by_folder: bool = True,
) -> People:
    """Whom photographs show, see `load_people`.

    Args:
        photographs: Picture files and their contents.
        names: What an error calls them.
        recognition: Networks.
        force: Go on without people where no photograph shows a face.
        by_folder: Whether people of one name are told apart by the folders of their photographs, and not by numbers.

    Raises:
        UnusedReferencesError: If no photograph shows a face, and it is not forced.
        ImageFileError: If one cannot be read.
    """
    found: list[tuple[ReferenceFile, ReferencePhoto]] = []
    counts: dict[Path, int] = {}
    for file, data in photographs:
        photo, counts[file.path] = reference_photo(file.path, data, recognition)
        if photo is not None:
            found.append((file, photo))
    if not found and names and not force:
        raise UnusedReferencesError(
            f"No face was found in any of the references ({', '.join(names)}).", "no reference face"
        )
    people = distinctly_named(people_among(found), by_folder)
    return People(tuple(people), (*notes_on_photographs(counts), *notes_on_people(people, recognition.threshold)))
