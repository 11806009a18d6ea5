"""References: photographs that show what people look like, several of one person used together."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.alignment import align, alignment_matrix
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.images.files import decode_picture, read_image_file
from faceops.images.picture_files import picture_files
from headsup.restoring.references.face_recognition import FaceRecognition, detect_and_embed
from headsup.restoring.references.reference_errors import UnusedReferencesError

POSE_UNIT = 0.1
"""Mean distance of the aligned landmarks, in eye distances, that weighs as much as half the resolution."""


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """The largest face of a photograph."""

    path: Path
    digest: str
    """SHA-256 of the file, by which it is known again as an input."""
    size: tuple[int, int]
    """Height and width of the photograph in pixels."""
    face: Float[Tensor, "3 512 512"]
    """Aligned to FFHQ, RGB in [0, 1]."""
    pose: Float[Tensor, "5 2"]
    """Landmarks, aligned to FFHQ."""
    eye_distance: float
    """In pixels of the photograph."""
    embedding: Float[Tensor, " d"]

    def unfitness(self, pose: Float[Tensor, "5 2"]) -> float:
        """Misfit to a face of some pose; lower is better.

        Halvings of the resolution below that of an aligned face, plus the root mean square distance of the landmarks
        in units of `POSE_UNIT`: a face that looks the other way tells less than one at half the resolution.

        Args:
            pose: Landmarks of the face, aligned to FFHQ.
        """
        wanted = FFHQ_512.eye_distance()
        halvings = torch.tensor(wanted / max(self.eye_distance, 1.0)).log2().clamp(min=0).item()
        distance = (self.pose - pose).square().sum(dim=1).mean().sqrt().item() / wanted
        return halvings + distance / POSE_UNIT


@dataclass(frozen=True, eq=False)
class Person:
    """Photographs of one person."""

    photos: tuple[ReferencePhoto, ...]

    @property
    def name(self) -> str:
        """Name of the person in messages."""
        others = len(self.photos) - 1
        return self.photos[0].path.name + (f" and {others} more" if others else "")

    @property
    def embedding(self) -> Float[Tensor, " d"]:
        """Mean of the photographs', of length one."""
        return F.normalize(torch.stack([photo.embedding for photo in self.photos]).mean(dim=0), dim=0)

    def best_for(self, landmarks: Float[Tensor, "5 2"], count: int = 1) -> tuple[ReferencePhoto, ...]:
        """The photographs that serve a face best by resolution and pose, see `ReferencePhoto.unfitness`; best first.

        Args:
            landmarks: Of the face, in pixels of its picture.
            count: How many, at most.
        """
        pose = aligned_landmarks(landmarks)
        return tuple(sorted(self.photos, key=lambda photo: photo.unfitness(pose))[:count])


@dataclass(frozen=True, eq=False)
class People:
    """Whom the references show."""

    people: tuple[Person, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences about photographs without a face, and with several."""


def load_people(
    paths: Sequence[Path],
    recognition: FaceRecognition,
    force: bool = False,
    begin: Callable[[Path], None] = lambda path: None,
) -> People:
    """Read photographs, and those in folders; of each the largest face counts, and one without a face is left out.

    Args:
        paths: Photographs and folders.
        force: Go on without people where no photograph shows a face.
        begin: Called with each photograph before it is read.

    Raises:
        UnusedReferencesError: If no photograph shows a face, and it is not forced.
        ValueError: If a file cannot be read, or a folder holds no picture.
    """

    def photographs() -> Iterator[tuple[Path, bytes]]:
        for file in dict.fromkeys(picture_files(paths)):
            begin(file)
            yield file, read_image_file(file)

    return people_of(photographs(), [path.name for path in paths], recognition, force)


def people_of(
    photographs: Iterable[tuple[Path, bytes]], names: Sequence[str], recognition: FaceRecognition, force: bool = False
) -> People:
    """Whom photographs show, see `load_people`.

    Args:
        photographs: Names and contents of picture files.
        names: What an error calls them.
        recognition: Networks.
        force: Go on without people where no photograph shows a face.

    Raises:
        UnusedReferencesError: If no photograph shows a face, and it is not forced.
        ImageFileError: If one cannot be read.
    """
    photos, notes = [], []
    for file, data in photographs:
        photo, count = reference_photo(file, data, recognition)
        if photo is not None:
            photos.append(photo)
        if count == 0:
            notes.append(f"No face was found in {file.name}, so it is not used.")
        elif count > 1:
            notes.append(f"Of the {count} faces in {file.name} the largest is taken.")
    if photos:
        return People(tuple(group_people(photos, recognition.threshold)), tuple(notes))
    if force or not names:
        return People((), tuple(notes))
    raise UnusedReferencesError(
        f"No face was found in any of the references ({', '.join(names)}).", "no reference face"
    )


def reference_photo(path: Path, data: bytes, recognition: FaceRecognition) -> tuple[ReferencePhoto | None, int]:
    """Read a photograph and take its largest face, if it shows one.

    Args:
        path: Its name.
        data: Content of its file.
        recognition: Networks.

    Returns:
        The photograph, and how many faces it shows.

    Raises:
        ImageFileError: If it cannot be read.
    """
    pixels = decode_picture(data, str(path)).pixels
    seen = detect_and_embed(pixels, recognition)
    if len(seen) == 0:
        return None, 0
    face = seen.faces.select(torch.tensor([0]))
    photo = ReferencePhoto(
        path,
        hashlib.sha256(data).hexdigest(),
        (pixels.shape[1], pixels.shape[2]),
        align(pixels.unsqueeze(0), face).crops[0],
        aligned_landmarks(face.landmarks[0]),
        face.eye_distance().item(),
        seen.embeddings[0],
    )
    return photo, len(seen)


def aligned_landmarks(landmarks: Float[Tensor, "5 2"]) -> Float[Tensor, "5 2"]:
    """Landmarks of a face, brought to FFHQ's 512 pixels: what is left of the pose when place, size and tilt are gone.

    Example:
        >>> turned = torch.tensor([[60.0, 0.0], [60.0, 40.0], [40.0, 20.0], [20.0, 5.0], [20.0, 35.0]])
        >>> upright = torch.stack((turned[:, 1], -turned[:, 0]), dim=1)
        >>> torch.allclose(aligned_landmarks(turned), aligned_landmarks(upright), atol=1e-2)
        True
    """
    return apply(alignment_matrix(landmarks.unsqueeze(0)), landmarks.unsqueeze(0))[0]


def group_people(photos: Sequence[ReferencePhoto], threshold: float) -> list[Person]:
    """Put photographs of one person together, whatever their order.

    Beginning with each alone, the two groups whose photographs are most alike on average are joined, until no two
    groups reach the threshold (average linkage).

    Args:
        threshold: Similarity from which two photographs are taken for one person.
    """
    embeddings = torch.stack([photo.embedding for photo in photos])
    alike = embeddings @ embeddings.mT
    groups = [[number] for number in range(len(photos))]
    while len(groups) > 1:
        pairs = [(i, j) for j in range(len(groups)) for i in range(j)]
        means = [alike[groups[i]][:, groups[j]].mean().item() for i, j in pairs]
        best = max(range(len(pairs)), key=means.__getitem__)
        if means[best] < threshold:
            break
        first, second = pairs[best]
        groups[first] = sorted(groups[first] + groups.pop(second))
    return [Person(tuple(photos[number] for number in group)) for group in sorted(groups)]
