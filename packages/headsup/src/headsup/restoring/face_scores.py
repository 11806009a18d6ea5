"""What the report says about faces: whom they are like before and after, and whether their border shows."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.faces import Faces
from faceops.identity import embed, similarity
from faceops.metrics.boundary_artifact import seam_scores
from headsup.restoring.face_recognition import FaceRecognition, SeenFaces
from headsup.restoring.matching import Match
from headsup.restoring.photo_restorer import Restored
from headsup.restoring.report import FaceRecord
from portraitdata.restoration.face_masks import box_masks


@torch.no_grad()
def face_records(
    seen: SeenFaces,
    matches: Sequence[Match | None],
    restored: Restored,
    size: tuple[int, int],
    recognition: FaceRecognition,
) -> list[FaceRecord]:
    """Measure every face of a restored picture.

    Args:
        seen: Faces of the input.
        matches: Whose they are.
        restored: The result.
        size: Height and width of the input in pixels.
        recognition: Networks.
    """
    picture = restored.picture.pixels
    faces = scaled_faces(seen.faces, size, (picture.shape[1], picture.shape[2]))
    after = embed(recognition.encoder, picture.unsqueeze(0), faces)
    kept = similarity(after, seen.embeddings).tolist()
    records = []
    for row, match in enumerate(matches):
        gained = None if match is None else similarity(after[row], match.person.embedding).item()
        records.append(
            FaceRecord(
                box=seen.faces.boxes[row].tolist(),
                person=None if match is None else match.person.name,
                reference=None if match is None else str(match.photo.path),
                input_to_reference=None if match is None else match.similarity,
                output_to_input=kept[row],
                output_to_reference=gained,
                seam=seam_around(picture, restored.enlarged, faces.boxes[row]),
            )
        )
    return records


def scaled_faces(faces: Faces, size: tuple[int, int], target: tuple[int, int]) -> Faces:
    """Faces of a picture, in pixels of a copy of another size; the sides may be resized differently.

    Example:
        >>> face = Faces(torch.tensor([0]), torch.zeros(1, 4), torch.zeros(1, 5, 2), torch.ones(1))
        >>> scaled_faces(face, (10, 10), (10, 20)).boxes.tolist()
        [[0.5, 0.0, 0.5, 0.0]]
    """
    factors = torch.tensor([target[1] / size[1], target[0] / size[0]])
    boxes = ((faces.boxes.unflatten(1, (2, 2)) + 0.5) * factors - 0.5).flatten(1)
    return Faces(faces.image_index, boxes, (faces.landmarks + 0.5) * factors - 0.5, faces.scores)


def seam_around(
    picture: Float[Tensor, "3 h w"], enlarged: Float[Tensor, "3 h w"], box: Float[Tensor, "4"]
) -> float | None:
    """BoundaryArtifact of a result along the border of a box, beyond what the input has there; None without a border.

    Args:
        picture: The result.
        enlarged: The input, of the same size.
        box: Left, top, right and bottom in pixels; that is where the denoiser is told of the reference.
    """
    masks = box_masks(box.unsqueeze(0), torch.tensor([True]), picture.shape[1], picture.shape[2]).float()
    total = seam_scores(picture.unsqueeze(0), masks, enlarged.unsqueeze(0)).total.item()
    return None if total != total else total
