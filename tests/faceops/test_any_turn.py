"""The detector any-turn: places, decoding, files, and no network."""

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from faceops.detection.detectors.any_turn import AnyTurn, decoded, padded
from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork, ConvUnit, Predictions
from faceops.detection.detectors.any_turn_weights import FILES, save_any_turn
from faceops.detection.places import places_of
from faceops.detection.selection import build_detector, build_network
from faceops.detection.upright_look import FIRST_THRESHOLD, LEAST_THRESHOLD, UprightLook
from faceops.images.files import load_picture
from faceops.weights.model_card import WeightsCard

SMALL = AnyTurnArguments(4, 4, 8, 8, 8, 8)


def predictions_with(values: dict[int, tuple[float, ...]]) -> Predictions:
    """Predictions for one image of 64 x 64 pixels; rows of logit, four numbers of the box, ten of landmarks."""
    rows = torch.zeros(1, len(places_of(64, 64)), 15)
    rows[..., 0] = -20.0
    for place, row in values.items():
        rows[0, place] = torch.tensor(row)
    return Predictions(rows[..., 0], rows[..., 1:5], rows[..., 5:].unflatten(-1, (5, 2)))


def test_a_face_by_hand() -> None:
    # place 10 is row 1, column 2 of stride 8: its middle is (16, 8)
    points = (-1.0, -1.0, 1.0, -1.0, 0.0, 0.0, -0.5, 1.0, 0.5, 1.0)
    row = (0.0, 0.25, 0.5, 1.3862944, 0.6931472, *points)  # logarithms of 4 and 2
    faces = decoded(predictions_with({10: row}), places_of(64, 64), 0.5)
    assert faces.scores.tolist() == [0.5]
    torch.testing.assert_close(faces.boxes, torch.tensor([[2.0, 4.0, 34.0, 20.0]]))
    expected = [[8.0, 0.0], [24.0, 0.0], [16.0, 8.0], [12.0, 16.0], [20.0, 16.0]]
    torch.testing.assert_close(faces.landmarks[0], torch.tensor(expected))


def test_the_likelier_of_two_boxes_of_one_face_stays() -> None:
    side = 1.3862944  # logarithm of 4
    left = (1.0, 0.0, 0.0, side, side, *[0.0] * 10)
    right = (2.0, 0.0, 0.0, side, side, *[0.0] * 10)
    away = (0.5, 0.0, 0.0, side, side, *[0.0] * 10)
    faces = decoded(predictions_with({10: left, 11: right, 45: away}), places_of(64, 64), 0.5)
    assert [box[0] for box in faces.boxes.tolist()] == pytest.approx([24 - 16, 40 - 16], abs=1e-4)
    assert faces.scores.tolist() == pytest.approx([0.880797, 0.622459])


def test_predictions_lie_in_the_order_of_the_places() -> None:
    network = AnyTurnNetwork(SMALL).eval()
    for index, out in enumerate(network.out):
        torch.nn.init.zeros_(out.weight)
        torch.nn.init.constant_(out.bias, float(index))
    with torch.no_grad():
        found = network(torch.zeros(1, 3, 64, 128)).logits[0]
    stride = places_of(64, 128)[:, 2]
    assert found.tolist() == [{8.0: 0, 16.0: 1, 32.0: 2, 64.0: 3}[s] for s in stride.tolist()]


def test_a_place_is_where_its_convolutions_look() -> None:
    """The gradient of a place of stride 8 with respect to the picture is centred at its pixel."""
    torch.manual_seed(0)
    chain = torch.nn.Sequential(*(torch.nn.Conv2d(1, 1, 3, 2, 1, bias=False) for _ in range(3)))
    for convolution in chain:
        torch.nn.init.ones_(convolution.weight)
    image = torch.zeros(1, 1, 64, 64, requires_grad=True)
    chain(image)[0, 0, 4, 3].backward()
    weight = image.grad[0, 0]
    middle = [(weight.sum(dim=1 - d) * torch.arange(64.0)).sum() / weight.sum() for d in (1, 0)]
    place = places_of(64, 64)[4 * 8 + 3]
    assert [m.item() for m in middle] == place[:2].tolist() == [24.0, 32.0]


def test_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    network = AnyTurnNetwork(SMALL)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    for _ in range(3):
        network(images)  # running means and variances
    network.eval()
    with torch.no_grad():
        before = network(images)
        after = network.fold()(images)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert sum(isinstance(module, ConvUnit) for module in network.modules()) == 20
    for ours, theirs in zip(after, before, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_pictures_of_any_size() -> None:
    assert padded(torch.ones(1, 3, 65, 64)).shape == (1, 3, 128, 64)
    assert padded(torch.ones(1, 3, 1, 1))[0, 0, 0, :2].tolist() == [1.0, 0.0]  # zero is grey


def test_a_file_and_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = AnyTurnNetwork(SMALL).fold()
    path = tmp_path / "own.safetensors"
    save_any_turn(network, path, WeightsCard(licence="CC0-1.0", steps=3))
    assert FILES.read_card(path).licence == "CC0-1.0"
    again = FILES.load(path)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor.half().float(), rtol=0, atol=0)
    assert isinstance(build_network("any-turn", path), AnyTurn)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no weights file"):
        FILES.load(tmp_path / "absent.safetensors")
    path = tmp_path / "own.safetensors"
    network = AnyTurnNetwork(SMALL).fold()
    save_any_turn(network, path, WeightsCard())
    tensors = load_file(path)
    header = {"architecture": "any-turn", "card": "{}"}
    save_file(tensors, path, header | {"arguments": '{"stem": 100000000}'})
    with pytest.raises(ValueError, match="must name the channels stem, entry, fine, middle, coarse, neck"):
        FILES.load(path)
    arguments = '{"stem": 4, "entry": 4, "fine": 8, "middle": 8, "coarse": 8, "neck": 16}'
    save_file(tensors, path, header | {"arguments": arguments})
    with pytest.raises(ValueError, match="does not hold the weights of the network that its header describes"):
        FILES.load(path)
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        AnyTurn(threshold=2.0)
    for threshold in (60.0, -0.1):  # percent; the first look has a threshold of its own
        with pytest.raises(ValueError, match="A threshold of scores is between 0 and 1, got"):
            build_detector(threshold=threshold)


def test_own_weights_touch_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    torch.manual_seed(0)
    save_any_turn(AnyTurnNetwork(SMALL).fold(), tmp_path / "own.safetensors", WeightsCard())
    detector = build_detector("any-turn", tmp_path / "own.safetensors", threshold=1.0)
    assert len(detector(torch.rand(2, 3, 100, 80))) == 0


def test_what_is_shipped_says_what_it_is() -> None:
    card = FILES.read_card(FILES.shipped)
    assert card.steps
    assert "CC0" in card.training_data
    assert FILES.shipped.stat().st_size < 1_000_000
    assert FILES.shipped.with_suffix(".md").is_file()


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("a connection was tried")


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without weights in the cache and without a network."""
    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    detector = build_detector("any-turn")
    assert len(detector(torch.full((1, 3, 100, 80), 0.5))) == 0


@pytest.mark.assets
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_portraits_at_every_turn(assets: Path, turn: int) -> None:
    detector = AnyTurn()
    for name in ("london_ccby4/008_neutral.jpg", "london_ccby4/042_smiling.jpg", "usds_usgov/david-holmes.jpg"):
        pixels = load_picture(assets / "images/portraits" / name).pixels.unsqueeze(0)
        image = torch.nn.functional.interpolate(pixels, size=(320, 320), mode="bilinear", antialias=True)
        faces = detector(torch.rot90(image, turn, (2, 3)))
        assert len(faces) == 1, name
        eyes = faces.landmarks[0, 1] - faces.landmarks[0, 0]
        roll = torch.atan2(eyes[1], eyes[0]).rad2deg().item()
        assert (roll + 90 * turn + 180) % 360 - 180 == pytest.approx(0, abs=15), name


def test_no_image_has_no_face() -> None:
    for find in (build_network("any-turn"), build_detector("any-turn")):
        assert len(find(torch.rand(0, 3, 64, 64))) == 0


@pytest.mark.parametrize(("threshold", "first"), [(0.0, LEAST_THRESHOLD), (0.1, 0.1), (0.5, FIRST_THRESHOLD)])
def test_what_is_hardly_a_face_is_not_looked_at_whatever_the_threshold(threshold: float, first: float) -> None:
    detector = build_detector("any-turn", threshold=threshold)
    assert isinstance(detector, UprightLook)
    assert isinstance(detector.network, AnyTurn)
    assert (detector.threshold, detector.network.threshold) == (threshold, first)
