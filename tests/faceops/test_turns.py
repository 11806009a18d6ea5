"""Faces that are not upright, of a stand-in for a detector and of YuNet."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.detection.selection import build_detector
from faceops.detection.turns import TurnSearch, quarter_turns, turned_back, with_others
from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture
from faceops.recognition.identity import build_identity, embed, similarity

SCORES = {"top": 0.94, "bottom": 0.88, "left": 0.7, "right": 0.7}
"""What the stand-in says of a face by the side on which its forehead is: YuNet's scores, about."""

POINTS = torch.tensor([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


class RedForeheads:
    """A stand-in for a detector: faces are blue squares with one red edge, and all have landmarks as if upright."""

    def __init__(self, blind_to_sides: bool = False) -> None:
        self.calls = 0
        self.blind_to_sides = blind_to_sides

    def __call__(self, images: Tensor) -> Faces:
        self.calls += 1
        parts = [self._face(image, index) for index, image in enumerate(images)]
        return Faces.concatenate([part for part in parts if part is not None] or [Faces.none()])

    def _face(self, image: Tensor, index: int) -> Faces | None:
        rows, columns = ((image[0] + image[2]) > 0.5).nonzero(as_tuple=True)
        if not len(rows):
            return None
        left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
        face = image[0, top : bottom + 1, left : right + 1]
        strips = {"top": face[:2], "bottom": face[-2:], "left": face[:, :2], "right": face[:, -2:]}
        side = max(strips, key=lambda name: strips[name].mean().item())
        if self.blind_to_sides and side in ("left", "right"):
            return None
        box = torch.stack((left, top, right, bottom)).float()
        points = box[:2] + POINTS * (box[2:] - box[:2])
        return Faces(torch.tensor([index]), box[None], points[None], torch.tensor([SCORES[side]]))


def picture() -> Tensor:
    """An upright face at (40, 20) to (99, 79) of 160 x 120 pixels."""
    image = torch.zeros(1, 3, 120, 160)
    image[0, 2, 20:80, 40:100] = 1
    image[0, 2, 20:32, 40:100], image[0, 0, 20:32, 40:100] = 0, 1
    return image


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_the_eyes_of_a_turned_face_are_where_its_forehead_is(turn: int, blind: bool) -> None:
    network = RedForeheads(blind)
    image = picture()
    turned = torch.rot90(image, turn, (2, 3))
    faces = TurnSearch(network, network)(torch.cat([turned, torch.zeros_like(turned)]))
    assert faces.image_index.tolist() == [0]
    upright = network(image)
    back = turned_back(faces, turn, *image.shape[2:])
    torch.testing.assert_close(back.landmarks, upright.landmarks, rtol=0, atol=1e-3)
    torch.testing.assert_close(back.boxes, upright.boxes, rtol=0, atol=1e-3)
    crops = align(turned, faces, 64).crops
    torch.testing.assert_close(crops, align(image, upright, 64).crops, rtol=0, atol=0.02)


def test_an_upright_picture_is_searched_once() -> None:
    detector, network = RedForeheads(), RedForeheads()
    faces = TurnSearch(detector, network)(picture())
    assert detector.calls == 1
    assert network.calls == 10  # four turns of close-ups of two sizes, and once more as the eyes say
    torch.testing.assert_close(faces.landmarks, RedForeheads()(picture()).landmarks)


def test_a_doubtful_face_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, "top", 0.84)
    monkeypatch.setitem(SCORES, "bottom", 0.6)
    network = RedForeheads()
    on_its_head = torch.rot90(picture(), 2, (2, 3))
    assert quarter_turns(network, on_its_head, network(on_its_head)).tolist() == [0]
    monkeypatch.setitem(SCORES, "top", 0.86)
    assert quarter_turns(network, on_its_head, network(on_its_head)).tolist() == [2]
    monkeypatch.setitem(SCORES, "bottom", 0.85)
    assert quarter_turns(network, on_its_head, network(on_its_head)).tolist() == [0]


def test_a_face_is_not_taken_twice() -> None:
    faces = RedForeheads()(picture())
    moved = Faces(faces.image_index, faces.boxes + 200, faces.landmarks + 200, faces.scores)
    assert len(with_others(faces, Faces.concatenate([faces, moved]))) == 2


@pytest.mark.assets
def test_a_portrait_is_the_same_person_however_it_is_turned(assets: Path) -> None:
    portrait = load_picture(assets / "images/portraits/lisa_cc0/lisa1.jpg").pixels.unsqueeze(0)
    detector = build_detector("yunet", assets / "weights/detect/yunet_n_640_640.onnx")
    encoder = build_identity(str(assets / "weights/identity/mobilefacenet_foamliu.pt"))
    upright = detector(portrait)
    wanted = embed(encoder, portrait, upright)
    for turn in (1, 2, 3):
        turned = torch.rot90(portrait, turn, (2, 3))
        faces = detector(turned).largest()
        back = turned_back(faces, turn, *portrait.shape[2:])
        assert (back.landmarks - upright.landmarks).norm(dim=-1).max() < 4
        assert similarity(wanted, embed(encoder, turned, faces)).item() > 0.95
