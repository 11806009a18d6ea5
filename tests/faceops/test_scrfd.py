"""SCRFD through insightface, which is an extra: a stand-in with its interface."""

import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from faceops.detection.detectors.scrfd import SCRFD
from faceops.weights.cache import MissingWeightsError


class StandIn:
    """What insightface's SCRFD takes and gives."""

    landmarks = True

    def __init__(self) -> None:
        self.prepared: tuple[int, dict] | None = None
        self.seen: list[np.ndarray] = []

    def prepare(self, ctx_id: int, **settings: object) -> None:
        self.prepared = (ctx_id, settings)

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        self.seen.append(picture)
        boxes = np.array([[1, 2, 11, 12, 0.6], [21, 2, 31, 12, 0.9]], np.float32)
        points = np.arange(20, dtype=np.float32).reshape(2, 5, 2)
        if picture.mean() < 1:
            return boxes[:0], points[:0]
        return boxes, points if self.landmarks else None


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    package, zoo = ModuleType("insightface"), ModuleType("insightface.model_zoo")
    zoo.get_model = lambda name, **settings: stand_in  # type: ignore[attr-defined]
    package.model_zoo = zoo  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", zoo)
    return stand_in


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "det.onnx").write_bytes(b"")
    return tmp_path / "det.onnx"


def test_faces_are_ordered_and_images_are_bgr(network: StandIn, weights: Path) -> None:
    images = torch.zeros(2, 3, 8, 16)
    images[1, 0] = 1.0  # red
    faces = SCRFD(weights, threshold=0.4, input_side=320)(images)
    assert network.prepared == (-1, {"input_size": (320, 320), "det_thresh": 0.4})
    assert network.seen[1].shape == (8, 16, 3)
    assert network.seen[1][0, 0].tolist() == [0, 0, 255]
    assert faces.image_index.tolist() == [1, 1]
    assert faces.scores.tolist() == pytest.approx([0.9, 0.6])
    assert faces.boxes[0].tolist() == [21, 2, 31, 12]
    assert faces.landmarks[0, 0].tolist() == [10, 11]


def test_a_model_without_landmarks(network: StandIn, weights: Path) -> None:
    network.landmarks = False
    with pytest.raises(ValueError, match="gives no landmarks; use an SCRFD with key points"):
        SCRFD(weights)(torch.ones(1, 3, 8, 8))


def test_another_model(network: StandIn, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["insightface"].model_zoo, "get_model", lambda name, **settings: None)
    with pytest.raises(ValueError, match="is no SCRFD that insightface can read"):
        SCRFD(weights)(torch.ones(1, 3, 8, 8))


def test_pickled_for_another_process(network: StandIn, weights: Path) -> None:
    detector = SCRFD(weights, 0.3, 128)
    detector(torch.ones(1, 3, 8, 8))
    again = pickle.loads(pickle.dumps(detector))
    assert (again.path, again.threshold, again.input_side) == (weights, 0.3, 128)


def test_without_insightface(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setitem(sys.modules, "insightface", None)
    with pytest.raises(ImportError, match=r"needs insightface: pip install insightface onnxruntime.*non-commercial"):
        SCRFD(weights)


def test_weights_are_for_non_commercial_research(
    network: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path))
    with pytest.raises(
        MissingWeightsError, match=r'"scrfd" \(16.9 MB, non-commercial research only\).*unpack buffalo_l'
    ):
        SCRFD()


def test_settings_are_checked(network: StandIn, weights: Path) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1.5"):
        SCRFD(weights, threshold=1.5)
    with pytest.raises(ValueError, match=r"a multiple of 32, got 100"):
        SCRFD(weights, input_side=100)
