"""References that show another expression: drawn faces and real ones."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceops.detection.selection import build_detector
from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import load_picture
from headsup.restoring.expressions import expression_notes, expressions_differ
from headsup.restoring.references.face_recognition import EmbeddedFaces, find_faces
from headsup.restoring.references.matching import Match
from headsup.restoring.references.reference_people import Person, ReferencePhoto
from portraitdata.degradation.jpeg import compressed
from portraitdata.images.resampling import bicubic, to_8_bit

TEMPLATE = FFHQ_512.tensor().float()


def drawn(mouth: int, eyes: int = 0) -> Tensor:
    """A face of soft spots; the seeds say which eyes and which mouth."""
    face = bicubic(torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(99)), 512, 512)
    for seed, (left, top, right, bottom) in ((eyes, (100, 180, 410, 300)), (mouth, (160, 316, 350, 430))):
        spots = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(seed))
        face[:, top:bottom, left:right] = bicubic(spots, bottom - top, right - left)
    return face.clamp(0, 1)


def photo(name: str, face: Tensor, eyes: float = 126.0) -> ReferencePhoto:
    crop = (face * 255).round().byte()
    return ReferencePhoto(Path(name), name, (512, 512), crop, TEMPLATE, eyes, F.normalize(torch.ones(4), dim=0))


def notes(picture: Tensor, *photos: ReferencePhoto) -> list[str]:
    """What is said of a picture that is an aligned face."""
    points = FFHQ_512.scaled(picture.shape[-1]).tensor().float()[None]
    faces = Faces(torch.tensor([0]), torch.tensor([[10.0, 10.0, 50.0, 60.0]]), points, torch.ones(1))
    seen = EmbeddedFaces(faces, F.normalize(torch.ones(1, 4), dim=1))
    return expression_notes(picture, seen, [Match(Person(photos), photos, 0.9)])


def test_a_mouth_that_differs_is_said_of_the_photographs_in_which_it_does() -> None:
    small = bicubic(drawn(mouth=1), 128, 128)
    assert notes(small, photo("same.jpg", drawn(mouth=1))) == []
    assert notes(small, photo("same.jpg", drawn(mouth=1)), photo("other.jpg", drawn(mouth=2))) == [
        "The face seems to have another expression than in other.jpg: the mouths differ. Look whether the result keeps "
        "that of the picture, or give a photograph of like expression."
    ]


def test_light_does_not_count() -> None:
    darker = 0.4 * drawn(mouth=1) + torch.tensor([0.0, 0.05, 0.1]).reshape(3, 1, 1)
    assert not expressions_differ(darker, drawn(mouth=1))
    assert expressions_differ(darker, drawn(mouth=2))


def test_what_cannot_be_judged_is_not_said() -> None:
    other = photo("other.jpg", drawn(mouth=2))
    # too small a face, too small a reference
    assert notes(bicubic(drawn(mouth=1), 63, 63), other) == []
    assert notes(bicubic(drawn(mouth=1), 65, 65), other) != []
    assert notes(drawn(mouth=1), photo("other.jpg", drawn(mouth=2), eyes=15.0)) == []
    # eyes that are not alike either; nothing to be seen
    assert not expressions_differ(drawn(mouth=1, eyes=3), drawn(mouth=2))
    assert not expressions_differ(torch.full((3, 64, 64), 0.5), drawn(mouth=2))


def test_a_face_without_a_reference_and_a_picture_that_nobody_looked_at() -> None:
    assert expression_notes(drawn(mouth=1), None, ()) == []
    faces = Faces(torch.tensor([0]), torch.zeros(1, 4), TEMPLATE[None], torch.ones(1))
    assert expression_notes(drawn(mouth=1), EmbeddedFaces(faces, torch.ones(1, 4)), [None]) == []


@pytest.mark.assets
@pytest.mark.parametrize("person", ["103", "030"])
def test_a_smile_and_none(assets: Path, person: str) -> None:
    detector = build_detector("yunet", assets / "weights/detect/yunet_n_640_640.onnx")
    faces, pictures = {}, {}
    for name in ("neutral", "smiling"):
        pixels = load_picture(assets / f"images/portraits/london_ccby4/{person}_{name}.jpg").pixels
        pictures[name] = bicubic(pixels, 512, 512).clamp(0, 1)
        found = find_faces(pictures[name], detector)
        faces[name] = align(pictures[name][None], found).crops[0]
    for name, other in (("neutral", "smiling"), ("smiling", "neutral")):
        small = to_8_bit(bicubic(pictures[name][None], 128, 128))[0].permute(1, 2, 0).contiguous().numpy()
        low = to_8_bit(torch.from_numpy(compressed(small, 35)).permute(2, 0, 1))
        own = align(low[None], find_faces(low, detector), 64).crops[0]
        assert expressions_differ(own, faces[other])
        assert not expressions_differ(own, faces[name])
