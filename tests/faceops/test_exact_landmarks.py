"""Exact landmarks: the middle of a map, close-ups and the way back from them, files, and real faces."""

from pathlib import Path

import pytest
import torch

from faceops.detection.detectors.any_turn_network import AnyTurnNetwork
from faceops.detection.detectors.any_turn_weights import save_any_turn
from faceops.detection.exact_landmarks import second_look
from faceops.detection.exact_landmarks.landmark_network import SIDE, STEP, WINDOW, LandmarkNetwork, middles, spread
from faceops.detection.exact_landmarks.landmark_weights import (
    FILES,
    save_landmark_network,
)
from faceops.detection.exact_landmarks.second_look import ExactLandmarks
from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import apply
from faceops.images.files import load_picture
from faceops.weights.cache import MissingWeightsError
from faceops.weights.model_card import WeightsCard
from portraitdata.images.resampling import bicubic


def small() -> LandmarkNetwork:
    torch.manual_seed(0)
    return LandmarkNetwork(8, 8)


class Peaks(torch.nn.Module):
    """Maps with a single high cell each."""

    def __init__(self, cells: list[tuple[int, int]]) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = torch.zeros(len(x), len(self.cells), *x.shape[2:])
        for number, (row, column) in enumerate(self.cells):
            maps[:, number, row, column] = 50.0
        return maps


def test_a_landmark_is_the_middle_of_its_map() -> None:
    network = small()
    cells = [(0, 0), (3, 5), (15, 15), (7, 0), (0, 9)]
    network.maps = Peaks(cells)
    found = middles(network(torch.zeros(1, 3, SIDE, SIDE)))[0]
    expected = [[column * STEP + 1.5, row * STEP + 1.5] for row, column in cells]  # of squares of 4 x 4 pixels
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def test_a_map_looks_where_its_cell_is() -> None:
    """What a cell sees of the picture is about its middle."""
    network = small().double().eval()
    image = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    weight = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    for seed in range(8):
        torch.manual_seed(seed)
        maps = network(image + 0.1 * torch.randn_like(image))
        (gradient,) = torch.autograd.grad(maps[0, :, 8, 6].sum(), image)
        weight += gradient[0].abs().sum(dim=0)
    across, down = weight.sum(dim=0), weight.sum(dim=1)
    middle = [float((line * torch.arange(SIDE)).sum() / line.sum()) for line in (across, down)]
    assert middle == pytest.approx([6 * STEP + 1.5, 8 * STEP + 1.5], abs=2.5)


def test_gradients_of_the_middles() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(middles, (maps,))


def test_folding_changes_nothing() -> None:
    network = small()
    images = torch.rand(4, 3, SIDE, SIDE) * 2 - 1
    for _ in range(3):
        network(images)  # running means and variances
    network.eval()
    with torch.no_grad():
        before = network(images)
        after = network.fold()(images)
    assert after.shape == (4, 5, SIDE // STEP, SIDE // STEP)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-4)


def test_a_file_and_back(tmp_path: Path) -> None:
    network, path = small().fold(), tmp_path / "own.safetensors"
    save_landmark_network(network, path, WeightsCard(licence="CC0-1.0", steps=3))
    assert FILES.read_card(path).licence == "CC0-1.0"
    again = FILES.load(path)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor.half().float(), rtol=0, atol=0)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="There is no weights file"):
        ExactLandmarks(tmp_path / "absent.safetensors")
    path = tmp_path / "detector.safetensors"
    save_any_turn(AnyTurnNetwork().fold(), path, WeightsCard())
    with pytest.raises(ValueError, match="detector"):
        ExactLandmarks(path)


def turned_faces(count: int) -> Faces:
    """Faces at several turns and sizes in one picture of 300 pixels."""
    random = torch.Generator().manual_seed(1)
    points = WINDOW.tensor().float() - SIDE / 2
    faces = []
    for number in range(count):
        angle, size = torch.tensor(0.9 * number), 0.6 + 0.4 * number
        turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
        faces.append(size * points @ turn.mT + 150 + torch.rand(2, generator=random))
    boxes = torch.rand(count, 4, generator=random)
    return Faces(torch.zeros(count, dtype=torch.int64), boxes, torch.stack(faces), torch.rand(count, generator=random))


class Answers(torch.nn.Module):
    """Says of every close-up that the landmarks are at the window's places, moved; mirrored for mirrored ones."""

    def __init__(self, moves: torch.Tensor, width: float) -> None:
        super().__init__()
        self.moves, self.width, self.mirrored = moves, width, False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        points = WINDOW.tensor().float() + self.moves
        if self.mirrored:
            points = torch.stack([SIDE - 1 - points[:, 0], points[:, 1]], dim=1)[[1, 0, 2, 4, 3]]
        self.mirrored = not self.mirrored
        cells = STEP * torch.arange(SIDE // STEP) + (STEP - 1) / 2
        across = -((cells - points[:, :1]) ** 2) / (2 * self.width**2)
        down = -((cells - points[:, 1:]) ** 2) / (2 * self.width**2)
        return (down[:, :, None] + across[:, None, :]).expand(len(x), 5, SIDE // STEP, SIDE // STEP)


def answering(
    moves: torch.Tensor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: float = 3.0
) -> ExactLandmarks:
    monkeypatch.setattr(second_look, "LOOKS", 1)
    path = tmp_path / "own.safetensors"
    save_landmark_network(small().fold(), path, WeightsCard())
    exact = ExactLandmarks(path)
    exact.network = Answers(moves, width)
    return exact


def test_landmarks_come_back_to_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    moves = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [-2.0, -1.0], [2.0, -1.0]])
    faces = turned_faces(4)
    found = answering(moves, monkeypatch, tmp_path)(torch.rand(1, 3, 300, 300), faces)
    for number, (before, after) in enumerate(zip(faces.landmarks, found.landmarks, strict=True)):
        angle, size = torch.tensor(0.9 * number), 0.6 + 0.4 * number
        there = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
        torch.testing.assert_close(after - before, size * moves @ there.mT, atol=0.02, rtol=0.02)
    assert torch.equal(found.boxes, faces.boxes)
    assert torch.equal(found.scores, faces.scores)


def test_what_is_far_away_was_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    faces = turned_faces(2)
    exact = answering(torch.full((5, 2), 15.0), monkeypatch, tmp_path)
    assert torch.equal(exact(torch.rand(1, 3, 300, 300), faces).landmarks, faces.landmarks)
    nobody = faces.select(torch.zeros(2, dtype=torch.bool))
    assert len(exact(torch.rand(1, 3, 300, 300), nobody)) == 0


def test_what_shows_no_landmarks_beside_a_face_is_doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    faces = turned_faces(5)
    # a likely face; beside it one as large, a small one and a small one in another picture; half of it, within it
    boxes = [[0.0, 0.0, 80.0, 100.0], [200, 0, 280, 100], [200, 0, 225, 30], [200, 0, 225, 30], [20, 20, 60, 70]]
    index, scores = torch.tensor([0, 0, 0, 1, 0]), torch.tensor([0.9, 0.8, 0.7, 0.7, 0.6])
    faces = Faces(index, torch.tensor(boxes), faces.landmarks, scores)
    exact = answering(torch.zeros(5, 2), monkeypatch, tmp_path, width=30.0)
    assert spread(exact.network(torch.zeros(1, 3, SIDE, SIDE))).item() > 4
    exact.network.mirrored = False
    found = exact(torch.rand(2, 3, 300, 300), faces)
    torch.testing.assert_close(scores - found.scores, torch.tensor([0.0, 0.0, 0.35, 0.0, 0.35]))
    sharp = answering(torch.zeros(5, 2), monkeypatch, tmp_path)
    assert torch.equal(sharp(torch.rand(2, 3, 300, 300), faces).scores, scores)


@pytest.mark.assets
def test_ears_and_hair_of_large_portraits_are_no_faces(assets: Path) -> None:
    folder, detector = assets / "images/portraits", build_detector()
    for name in ("london_ccby4/005_neutral.jpg", "london_ccby4/044_neutral.jpg", "usds_usgov/meg-peters.jpg"):
        assert len(detector(load_picture(folder / name).pixels[None])) == 1, name


def test_what_is_shipped_says_what_it_is() -> None:
    card = FILES.read_card(FILES.shipped)
    assert card.steps
    assert "CC0" in card.training_data
    assert FILES.shipped.stat().st_size < 1_000_000
    assert FILES.shipped.with_suffix(".md").is_file()


@pytest.mark.assets
def test_a_smile_moves_the_corners_of_the_mouth(assets: Path) -> None:
    """As YuNet sees it, on people whom the network never saw; placed by the eyes and the nose."""
    folder, detector = assets / "images/portraits/london_ccby4", build_detector()
    wider = []
    for person in ("008", "042", "067", "096"):
        widths = []
        for expression in ("neutral", "smiling"):
            picture = bicubic(load_picture(folder / f"{person}_{expression}.jpg").pixels, 300, 300).clamp(0, 1)
            points = detector(picture[None]).largest().landmarks[0]
            widths.append(((points[4] - points[3]).norm() / (points[1] - points[0]).norm()).item())
        wider.append(widths[1] / widths[0])
    assert sum(wider) / len(wider) > 1.06, wider


@pytest.mark.assets
def test_a_rough_first_look_is_mended(assets: Path) -> None:
    path = assets / "images/portraits/london_ccby4/027_neutral.jpg"
    image = bicubic(load_picture(path).pixels, 400, 400).clamp(0, 1)[None]
    faces = build_detector()(image).largest()
    exact, unit = ExactLandmarks(), faces.eye_distance()
    turn = torch.tensor([[[0.98, -0.17, 0.0], [0.17, 0.98, 0.0]]])
    middle = faces.landmarks.mean(dim=1, keepdim=True)
    rough = apply(turn, faces.landmarks - middle) + middle + 0.08 * unit
    mended = exact(image, Faces(faces.image_index, faces.boxes, rough, faces.scores)).landmarks
    before, after = (((points - faces.landmarks).norm(dim=2).mean() / unit).item() for points in (rough, mended))
    assert before > 0.12
    assert after < 0.03
