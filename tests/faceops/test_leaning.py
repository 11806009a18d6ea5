"""Faces between upright and lying, of a stand-in for a detector and of YuNet."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.detection.leaning import SURE, lean, rolls_of, with_righted
from faceops.detection.selection import build_detector
from faceops.detection.turned_views import about, middle_face, seen_back, view_matrix
from faceops.detection.turns import TurnSearch
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import apply
from faceops.geometry.warping import warp_affine
from faceops.images.files import load_picture
from faceops.recognition.identity import build_identity, embed, similarity

EYES, NOSE, MOUTH = ((72.0, 60.0), (108.0, 60.0)), (90.0, 80.0), ((78.0, 100.0), (102.0, 100.0))
"""Landmarks of the face in `picture`, in its order."""


class MarkedEyes:
    """A stand-in for a detector: of a face with one red eye and one green eye it believes half of its lean.

    The less a face leans, the higher is its score: 0.95 if it is upright. A face that leans by more than a half turn's
    half gets the landmarks of an upright one.
    """

    def __init__(self, blind_beyond: float = 180.0) -> None:
        self.blind_beyond = blind_beyond

    def __call__(self, images: Tensor) -> Faces:
        found = [self._face(image, index) for index, image in enumerate(images)]
        return Faces.concatenate([face for face in found if face is not None] or [Faces.none()])

    def _face(self, image: Tensor, index: int) -> Faces | None:
        if min(image[0].max(), image[1].max()) < 0.3:
            return None
        left, right = (self._middle(image[channel]) for channel in (0, 1))
        across, down = (right - left).tolist()
        roll = math.degrees(math.atan2(down, across))
        if abs(roll) > self.blind_beyond:
            return None
        believed = math.radians(roll / 2) if abs(roll) <= 90 else 0.0
        turn = torch.tensor([[math.cos(believed), -math.sin(believed)], [math.sin(believed), math.cos(believed)]])
        middle, distance = (left + right) / 2, math.hypot(across, down)
        shape = (torch.tensor([*EYES, NOSE, *MOUTH]) - torch.tensor([90.0, 60.0])) / 36
        points = middle + distance * shape @ turn.T
        box = torch.cat([middle - distance, middle + distance])
        return Faces(torch.tensor([index]), box[None], points[None], torch.tensor([0.95 - abs(roll) / 450]))

    def _middle(self, channel: Tensor) -> Tensor:
        rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in channel.shape), indexing="ij")
        return torch.stack([(channel * where).sum() / channel.sum() for where in (columns, rows)])


def picture(angle: float = 0.0) -> Tensor:
    """A face of 180 x 180 pixels, turned to the right about its middle by an angle in degrees."""
    image = torch.zeros(1, 3, 180, 180)
    for channel, (x, y) in enumerate(EYES):
        image[0, channel, int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = 1
    return warp_affine(image, about(89.5, 89.5, angle, 1.0, 180).float(), 180)


@pytest.mark.parametrize("angle", [30.0, 45.0, 60.0, 135.0, -45.0, -100.0 - 30.0])
def test_the_landmarks_of_a_leaning_face_lean_as_it_does(angle: float) -> None:
    network = MarkedEyes()
    faces = TurnSearch(network, network)(picture(angle))
    assert len(faces) == 1
    assert rolls_of(faces).item() == pytest.approx(angle, abs=3)
    wanted = apply(about(89.5, 89.5, angle, 1.0, 180).float(), torch.tensor([[*EYES, NOSE, *MOUTH]]))
    assert (faces.landmarks - wanted).norm(dim=-1).max() < 2.5
    assert rolls_of(MarkedEyes()(picture(30.0))).item() == pytest.approx(15, abs=1), "the stand-in is right by itself"


def test_a_face_that_only_a_turned_copy_shows_is_found() -> None:
    network = MarkedEyes(blind_beyond=35)
    assert not len(network(picture(45.0)))
    faces = TurnSearch(network, network)(picture(45.0))
    assert rolls_of(faces).item() == pytest.approx(45, abs=3)


def test_a_face_that_hardly_leans_stays_as_it_is() -> None:
    network = MarkedEyes()
    for angle in (0.0, 10.0):
        faces = network(picture(angle))
        assert faces.scores.item() > SURE
        assert with_righted(network, picture(angle), faces) is faces
    leaning = network(picture(20.0))
    leaning = Faces.concatenate([leaning, leaning])
    assert len(with_righted(network, picture(20.0), leaning)) == 1, "one face, found twice, is righted once"
    assert lean(-44.0) == lean(134.0) == 44.0


def test_a_close_up_is_turned_about_the_face_and_the_way_back_leads_there() -> None:
    box, points = torch.tensor([[10.0, 20.0, 50.0, 40.0]]), torch.rand(1, 5, 2) * 60
    face = Faces(torch.tensor([0]), box, points, torch.tensor([0.5]))
    matrix = view_matrix(face, 90.0, 160)
    middle, right = apply(matrix, torch.tensor([[[30.0, 30.0], [40.0, 30.0]]]))[0].tolist()
    assert middle == pytest.approx([79.5, 79.5])
    assert right == pytest.approx([79.5, 99.5])  # two pixels for each: the close-up is 80 pixels wide
    corners = torch.tensor([[79.5 - 20, 79.5 - 40, 79.5 + 20, 79.5 + 40]])
    seen = Faces(torch.tensor([0]), corners, apply(matrix, points), torch.tensor([0.9]))
    back = seen_back(seen, matrix)
    torch.testing.assert_close(back.boxes, box, rtol=0, atol=1e-3)
    torch.testing.assert_close(back.landmarks, points, rtol=0, atol=1e-3)
    aside = Faces(torch.tensor([0]), corners - 60, points, torch.tensor([0.95]))
    chosen = middle_face(Faces.concatenate([aside, seen]), 160)
    assert chosen is not None
    assert chosen.scores.item() == pytest.approx(0.9)
    assert middle_face(aside, 160) is None


@pytest.mark.assets
@pytest.mark.parametrize("angle", [30.0, 45.0, 60.0, 135.0, 225.0, 315.0])
def test_a_portrait_is_the_same_person_at_any_angle(assets: Path, angle: float) -> None:
    portrait = load_picture(assets / "images/portraits/lisa_cc0/lisa1.jpg").pixels.unsqueeze(0)
    height, width = portrait.shape[2:]
    detector = build_detector("yunet", assets / "weights/detect/yunet_n_640_640.onnx")
    encoder = build_identity(str(assets / "weights/identity/mobilefacenet_foamliu.pt"))
    matrices = [about(width / 2, height / 2, turn, 0.6, 640).float() for turn in (0.0, angle)]
    upright, turned = (warp_affine(portrait, matrix, 640, antialias=True) for matrix in matrices)
    wanted, found = (embed(encoder, image, detector(image).largest()) for image in (upright, turned))
    assert similarity(wanted, found).item() > 0.95
