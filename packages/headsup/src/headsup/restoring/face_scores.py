"""Scores of faces in reports: similarities before and after, visibility of the border."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.pasting import paste
from faceops.metrics.seam_scores import seam_scores
from faceops.recognition.identity import embed, similarity
from headsup.restoring.photo_restorer import Restored
from headsup.restoring.references.face_recognition import EmbeddedFaces, FaceRecognition
from headsup.restoring.references.matching import Match
from headsup.restoring.report import FaceRecord
from portraitdata.restoration.face_masks import box_masks


@torch.no_grad()
def face_records(
    seen: EmbeddedFaces,
    matches: Sequence[Match | None],
    restored: Restored,
    size: tuple[int, int],
    recognition: FaceRecognition,
    face_size: int | None = None,
) -> list[FaceRecord]:
    """Measure every face of a restored picture.

    Args:
        size: Height and width of the input in pixels.
        face_size: Side in pixels of the aligned faces that were pasted over the result; None if none were.
    """
    picture = restored.picture.pixels
    height, width = picture.shape[1:]
    faces = seen.faces.rescaled(width / size[1], height / size[0])
    after = None if recognition.encoder is None else embed(recognition.encoder, picture.unsqueeze(0), faces)
    records = []
    for row, (match, mask) in enumerate(zip(matches, border_masks(faces, (height, width), face_size), strict=True)):
        kept, gained = likeness(None if after is None else after[row], seen, row, match)
        records.append(
            FaceRecord(
                box=seen.faces.boxes[row].tolist(),
                person=None if match is None else match.person.name,
                reference=None if match is None else str(match.photo.path),
                input_to_reference=None if match is None else match.similarity,
                output_to_input=kept,
                output_to_reference=gained,
                seam=seam_around(picture, restored.enlarged, mask),
            )
        )
    return records


def likeness(
    after: Float[Tensor, " d"] | None, seen: EmbeddedFaces, row: int, match: Match | None
) -> tuple[float | None, float | None]:
    """Similarities of a face of the result with that of the input, and with the person's photographs.

    Args:
        after: Embedding of the face in the result; None where no network tells people apart.
        row: Number of the face.
    """
    if after is None or seen.embeddings is None:
        return None, None
    kept = similarity(after, seen.embeddings[row]).item()
    return kept, None if match is None else similarity(after, match.person.embedding).item()


def border_masks(faces: Faces, size: tuple[int, int], face_size: int | None) -> Iterator[Float[Tensor, "1 1 h w"]]:
    """Masks of the faces along whose borders a seam is looked for, one after the other.

    Args:
        faces: In pixels of the result.
        size: Height and width of the result in pixels.
        face_size: Side in pixels of the aligned faces that were pasted; None if none were, and the boxes count.
    """
    for row in range(len(faces)):
        if face_size is None:
            yield box_masks(faces.boxes[row : row + 1], torch.tensor([True]), *size).float()
        else:
            yield pasted_opacity(faces.landmarks[row:], face_size, *size)


def pasted_opacity(
    landmarks: Float[Tensor, "n 5 2"], face_size: int, height: int, width: int
) -> Float[Tensor, "1 1 {height} {width}"]:
    """Share of the result that is the first of the faces pasted by `headsup.restoring.blending.blend`.

    Args:
        landmarks: Of that face and of those pasted after it, which hide it where they overlap; in pixels of the result.
    """
    matrix = alignment_matrix(landmarks, face_size)
    crops = torch.zeros(len(landmarks), 3, face_size, face_size)
    crops[0] = 1
    index = torch.zeros(len(landmarks), dtype=torch.long)
    return paste(torch.zeros(1, 3, height, width), crops, matrix, index)[:, :1]


def seam_around(
    picture: Float[Tensor, "3 h w"], enlarged: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 1 h w"]
) -> float | None:
    """BoundaryArtifact of a result along the border of a mask, beyond what the input has there; None without a border.

    Args:
        enlarged: The input, of the same size.
        mask: Where the result may differ in kind: the face's box, where the denoiser is told of the reference, or the
            opacity of a pasted face.
    """
    total = seam_scores(picture.unsqueeze(0), mask, enlarged.unsqueeze(0)).total.item()
    return None if total != total else total
