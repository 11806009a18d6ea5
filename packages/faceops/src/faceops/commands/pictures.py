"""Shared parts of the commands: the faces in a picture file, and reports of failures."""

from dataclasses import dataclass
from pathlib import Path

from faceops.detection.detector import Detector
from faceops.error_sentences import as_sentence_about
from faceops.geometry.faces import Faces
from faceops.heard_warnings import heard_warnings
from faceops.images.files import Picture, load_picture
from faceops.progress.verbosity import say, say_failure


class NoFaceError(ValueError):
    """A picture in which no face was found, where one was wanted."""


@dataclass(frozen=True)
class Found:
    """A picture and its faces."""

    path: Path
    picture: Picture
    faces: Faces
    """The best first, see `Detector`; never empty."""


def report_failure(file: Path, error: Exception) -> None:
    """Say on stderr what went wrong with a picture, and with which, where the error does not name a file itself."""
    say_failure(as_sentence_about(error, file))


def load_and_tell(path: Path) -> Picture:
    """Load a picture and say what is warned of it, with its name.

    Raises:
        ImageFileError: If the file cannot be read.
    """
    with heard_warnings() as heard:
        picture = load_picture(path)
    for note in heard:
        say(f"{path}: {note}")
    return picture


def find_faces(path: Path, detector: Detector, largest: bool = False) -> Found:
    """Load a picture and find its faces.

    Args:
        path: Picture file.
        detector: Finds them.
        largest: Keep only the face of the largest box, and say so if there are others.

    Raises:
        NoFaceError: If there is none.
        ImageFileError: If the file cannot be read.
    """
    picture = load_and_tell(path)
    faces = detector(picture.pixels.unsqueeze(0))
    if len(faces) == 0:
        raise NoFaceError(f"No face was found in {path}.")
    if largest and len(faces) > 1:
        say(f"{path}: the largest of {len(faces)} faces is taken")
        faces = faces.largest()
    return Found(path, picture, faces)
