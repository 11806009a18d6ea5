"""YuNet, and faces of every size: the search over scales and the close-ups."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from jaxtyping import config
from torch import Tensor

from faceops.detection.close_ups import close_up, look_closer, mirrored
from faceops.detection.detector import Detector
from faceops.detection.detectors.yunet import YuNet
from faceops.detection.scale_search import ScaleSearch, with_large_faces, with_missing
from faceops.detection.selection import build_detector, build_network
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture


@pytest.fixture(scope="session")
def weights(assets: Path) -> Path:
    return assets / "weights/detect/yunet_n_640_640.onnx"


@pytest.fixture(scope="session")
def detector(weights: Path) -> Detector:
    return build_detector("yunet", weights)


@pytest.fixture(scope="session")
def portrait(assets: Path) -> Tensor:
    """A portrait of 600 by 800 pixels, eyes 158 pixels apart."""
    return load_picture(assets / "images/portraits/lisa_cc0/lisa1.jpg").pixels.unsqueeze(0)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape checks of the test run, which come before our own."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def resized(image: Tensor, factor: float) -> Tensor:
    return F.interpolate(image, scale_factor=factor, mode="bilinear", antialias=True)


@pytest.mark.assets
def test_a_portrait(portrait: Tensor, detector: Detector) -> None:
    faces = detector(portrait)
    assert faces.image_index.tolist() == [0]
    expected = torch.tensor([[220.0, 358.0], [379.0, 353.0], [307.0, 467.0], [248.0, 560.0], [362.0, 556.0]])
    error = (faces.landmarks[0] - expected).norm(dim=1)  # from RetinaFace, looked at
    assert error[:3].max() < 10
    assert error[3:].max() < 32


@pytest.mark.assets
def test_convention_left_is_left_in_the_image_and_colours_are_rgb(portrait: Tensor, weights: Path) -> None:
    image = resized(portrait, 0.5)
    faces = YuNet(weights)(torch.cat([image, image.flip(-1), image.flip(1)]))
    assert (faces.landmarks[:, 0, 0] < faces.landmarks[:, 1, 0]).all()
    assert (faces.landmarks[:, 3, 0] < faces.landmarks[:, 4, 0]).all()
    straight, swapped = faces.of(0), faces.of(2)
    assert len(straight) == 1
    if len(swapped):  # blue skin is less of a face
        assert swapped.scores[0] < straight.scores[0]


@pytest.mark.assets
def test_no_face(detector: Detector, portrait: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    assert len(detector(torch.rand(1, 3, 90, 120, generator=generator))) == 0
    assert len(detector(torch.zeros(2, 3, 1, 1))) == 0
    assert len(detector(torch.zeros(1, 3, 7, 2000))) == 0


@pytest.mark.assets
def test_only_the_image_with_a_face(detector: Detector, portrait: Tensor) -> None:
    image = resized(portrait, 0.4)
    faces = detector(torch.cat([torch.zeros_like(image), image, torch.ones_like(image)]))
    assert faces.image_index.tolist() == [1]


@pytest.mark.assets
def test_forty_faces(portrait: Tensor, weights: Path) -> None:
    tile = resized(portrait, 0.16)
    sheet = tile.repeat(1, 1, 5, 8)
    faces = build_detector("yunet", weights, refine=False)(sheet)
    assert len(faces) == 40
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    cells = {(int(x // tile.shape[-1]), int(y // tile.shape[-2])) for x, y in centres.tolist()}
    assert len(cells) == 40
    assert (faces.scores[:-1] >= faces.scores[1:]).all()


@pytest.mark.assets
def test_the_same_twice(portrait: Tensor, detector: Detector) -> None:
    sheet = resized(portrait, 0.25).repeat(1, 1, 1, 3)
    first, second = detector(sheet), detector(sheet)
    assert torch.equal(first.landmarks, second.landmarks)
    assert torch.equal(first.scores, second.scores)


@pytest.mark.assets
def test_a_face_cut_by_the_border(portrait: Tensor, detector: Detector) -> None:
    whole = detector(portrait).landmarks[0]
    cut = detector(portrait[..., 260:])  # through the left eye's cheek
    assert len(cut) == 1
    moved = whole - torch.tensor([260.0, 0.0])
    assert (cut.landmarks[0, 1] - moved[1]).norm() < 0.15 * 158
    assert cut.boxes[0, 0] < 40


@pytest.mark.assets
@pytest.mark.parametrize("margin", [0, 40])
def test_a_face_that_fills_a_large_picture(portrait: Tensor, detector: Detector, margin: int) -> None:
    whole = detector(portrait)
    left, top, right, bottom = whole.boxes[0].round().int().tolist()
    x, y = left - margin, top - margin
    face = resized(portrait[..., y : bottom + margin, x : right + margin], 3)
    found = detector(face)
    assert len(found) == 1
    expected = (whole.landmarks[0] - torch.tensor([x, y]) + 0.5) * 3 - 0.5
    assert (found.landmarks[0] - expected).norm(dim=1).median() < 0.08 * 3 * 158


@pytest.mark.assets
def test_a_small_face_in_a_large_photograph(portrait: Tensor, detector: Detector) -> None:
    face = resized(portrait, 0.5)
    photograph = F.pad(face, (1000, 700, 1200, 400), value=0.6)
    faces = detector(photograph)
    assert len(faces) == 1
    expected = (detector(portrait).landmarks[0] + 0.5) / 2 - 0.5 + torch.tensor([1000.0, 1200.0])
    assert (faces.landmarks[0] - expected).norm(dim=1).max() < 0.05 * 79


@pytest.mark.assets
def test_tiny_faces(portrait: Tensor, weights: Path) -> None:
    face = resized(portrait, 0.022)
    photograph = F.pad(face, (300, 250, 200, 100), value=0.5)
    assert len(build_detector("yunet", weights)(photograph)) == 0
    faces = build_detector("yunet", weights, tiny=True)(photograph)
    assert len(faces) == 1
    centre = (faces.boxes[0, :2] + faces.boxes[0, 2:]) / 2
    torch.testing.assert_close(centre, torch.tensor([306.0, 209.0]), atol=4, rtol=0)


@pytest.mark.assets
def test_close_ups_agree_on_a_landmark(portrait: Tensor, weights: Path) -> None:
    """Seen at many sizes, the landmarks scatter less with close-ups than without."""
    plain, refined = build_detector("yunet", weights, refine=False), build_detector("yunet", weights)
    spread = []
    for detector in (plain, refined):
        points = []
        for factor in (0.3, 0.37, 0.45, 0.55):
            image = resized(portrait, factor)
            points.append((detector(image).landmarks[0] + 0.5) * (600 / image.shape[-1]) - 0.5)
        spread.append(torch.stack(points).std(dim=0).mean().item())
    assert spread[1] < 0.75 * spread[0]


@pytest.mark.assets
def test_pickled_for_another_process(weights: Path, portrait: Tensor) -> None:
    detector = YuNet(weights, 0.7)
    image = resized(portrait, 0.3)
    before = detector(image)
    again = pickle.loads(pickle.dumps(detector))
    assert again.threshold == 0.7
    torch.testing.assert_close(again(image).boxes, before.boxes, rtol=0, atol=1e-2)


@pytest.mark.assets
def test_nothing_on_stderr(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    YuNet(weights)(torch.zeros(1, 3, 40, 40))
    assert capfd.readouterr().err == ""


def test_wrong_weights_and_thresholds(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"a.onnx is no YuNet that OpenCV .* can read"):
        YuNet(tmp_path / "a.onnx")(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"between 0 and 1, got 2\.0"):
        YuNet(tmp_path / "a.onnx", threshold=2.0)


def test_detectors_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    found = build_network("yunet", tmp_path / "a.onnx", 0.9)
    assert isinstance(found, YuNet)
    assert found.threshold == 0.9
    with pytest.raises(ValueError, match="256 pixels at least, got 100"):
        build_detector("yunet", tmp_path / "a.onnx", working_side=100)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_detector() -> None:
    with pytest.raises(ValueError, match=r"Detectors are any-turn, yunet, .*; there is no 'dlib'"):
        build_network("dlib")  # type: ignore[arg-type]


class Blob:
    """Detector of a bright square of 10 to `largest` pixels: a face, its landmarks corners and centre."""

    def __init__(self, largest: int = 400) -> None:
        self.largest = largest
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, images: Tensor) -> Faces:
        self.sizes.append((images.shape[-2], images.shape[-1]))
        parts = [Faces.none()]
        for index, image in enumerate(images):
            rows, columns = (image.mean(0) > 0.6).nonzero(as_tuple=True)
            if len(rows):
                left, top, right, bottom = (
                    edge.float()
                    for edge in (columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5)
                )
                if 10 <= right - left <= self.largest:
                    box = torch.stack([left, top, right, bottom]).unsqueeze(0)
                    corners = torch.stack(
                        [box[0, :2], box[0, [2, 1]], (box[0, :2] + box[0, 2:]) / 2, box[0, [0, 3]], box[0, 2:]]
                    )
                    parts.append(Faces(torch.tensor([index]), box, corners.unsqueeze(0), torch.tensor([0.9])))
        return Faces.concatenate(parts)


def square(height: int, width: int, left: int, top: int, side: int) -> Tensor:
    image = torch.zeros(1, 3, height, width)
    image[..., top : top + side, left : left + side] = 1.0
    return image


def test_convention_scales_and_close_ups_are_exact_to_a_pixel() -> None:
    image = square(1500, 2000, 400, 610, 90)
    faces = ScaleSearch(Blob())(image)
    expected = torch.tensor([[399.5, 609.5], [489.5, 609.5], [444.5, 654.5], [399.5, 699.5], [489.5, 699.5]])
    torch.testing.assert_close(faces.landmarks[0], expected, atol=0.3, rtol=0)
    torch.testing.assert_close(faces.boxes[0], torch.tensor([399.5, 609.5, 489.5, 699.5]), atol=0.3, rtol=0)
    coarse = ScaleSearch(Blob(), refine=False)(image)
    torch.testing.assert_close(coarse.landmarks[0], expected, atol=1.0, rtol=0)


def test_large_images_are_searched_on_a_reduced_copy() -> None:
    blob = Blob()
    ScaleSearch(blob, working_side=512, refine=False)(square(1500, 2000, 400, 610, 90))
    assert blob.sizes == [(384, 512), (192, 256)]
    blob.sizes.clear()
    ScaleSearch(blob, refine=False)(square(120, 100, 40, 61, 30))
    assert blob.sizes == [(120, 100)]


def test_half_precision_images_keep_exact_coordinates() -> None:
    image = square(1500, 2000, 1700, 610, 90)
    search = ScaleSearch(Blob())
    torch.testing.assert_close(search(image.half()).landmarks, search(image).landmarks)


def test_a_margin_helps_where_nothing_is_found() -> None:
    images = torch.ones(2, 3, 200, 200)
    images[0] = 0.0
    faces = ScaleSearch(Blob(largest=150), refine=False)(images)
    assert faces.image_index.tolist() == [1]
    torch.testing.assert_close(faces.boxes[0], torch.tensor([-0.5, -0.5, 199.5, 199.5]), atol=1.0, rtol=0)


def at(*boxes: tuple[float, float, float, float], image: int = 0) -> Faces:
    rows = torch.tensor(boxes, dtype=torch.float32)
    return Faces(torch.full((len(boxes),), image), rows, torch.zeros(len(boxes), 5, 2), torch.full((len(boxes),), 0.9))


def test_parts_of_a_large_face_go() -> None:
    fine = at((300, 300, 600, 600), (10, 10, 60, 60), (900, 900, 960, 960))
    large = at((100, 100, 700, 800), (900, 900, 960, 960))
    joined = with_large_faces(fine, large, limit=400.0)
    assert joined.boxes.tolist() == [[10, 10, 60, 60], [900, 900, 960, 960], [100, 100, 700, 800]]
    other = with_large_faces(at((300, 300, 600, 600), image=1), large, limit=400.0)
    assert len(other) == 2


def test_a_crowd_is_not_one_face() -> None:
    crowd = at((150, 150, 200, 200), (300, 300, 350, 350))
    assert len(with_large_faces(crowd, at((100, 100, 700, 800)), limit=400.0)) == 3


def test_what_is_missing_is_added() -> None:
    known = at((0, 0, 100, 100))
    more = at((5, 5, 99, 99), (20, 20, 30, 30), (200, 0, 210, 10))
    assert with_missing(known, more).boxes[1:].tolist() == [[200, 0, 210, 10]]


def test_mirrored_twice_is_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 5, 2, generator=generator) * 50
    faces = Faces(torch.tensor([0, 1]), torch.rand(2, 4, generator=generator), points, torch.ones(2))
    twice = mirrored(mirrored(faces, 64), 64)
    torch.testing.assert_close(twice.landmarks, faces.landmarks)
    torch.testing.assert_close(twice.boxes, faces.boxes)


def test_a_face_that_is_not_found_again_stays() -> None:
    faces = at((10, 10, 40, 40))
    again = look_closer(lambda images: Faces.none(), torch.zeros(1, 3, 64, 64), faces)
    assert torch.equal(again.boxes, faces.boxes)
    elsewhere = look_closer(lambda images: at((0, 0, 3, 3)), torch.zeros(1, 3, 64, 64), faces)
    assert torch.equal(elsewhere.boxes, faces.boxes)


def test_close_up_beyond_the_border_is_black() -> None:
    image = torch.ones(3, 20, 30)
    assert close_up(image, -10, -10, 20, 20)[0, 0].sum().item() == pytest.approx(100)
    assert close_up(image, 25, 15, 20, 20)[0, 0].sum().item() == pytest.approx(25)
    assert np.isclose(close_up(image, 50, 50, 20, 20).max().item(), 0)
