"""RetinaFace: priors, decoding, suppression, network and weights."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from faceops.detection.detectors.retinaface import (
    ORIGIN,
    RetinaFace,
    decoded_faces,
    load_retinaface,
    prior_boxes,
)
from faceops.detection.detectors.retinaface_network import (
    TABLE,
    Backbone,
    Predictions,
    RetinaFaceNetwork,
    own_key,
)
from faceops.detection.suppression import suppress_overlaps
from faceops.geometry.boxes import intersection_over_union
from faceops.images.files import load_picture

BACKBONES: tuple[Backbone, ...] = ("mobilenet0.25", "resnet50")


def foreign_key(own: str) -> str:
    """Name that the PyTorch ports have for a weight of ours."""
    beginnings = ((ours, theirs) for theirs, ours in (*TABLE, ("body.", "backbone.")))
    return next(theirs + own.removeprefix(ours) for ours, theirs in beginnings if own.startswith(ours))


def naive_suppression(boxes: torch.Tensor, scores: torch.Tensor, images: torch.Tensor, threshold: float) -> list[bool]:
    """Greedy suppression as it is usually written: one box after another."""
    keep: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i].item()):
        others = [j for j in keep if images[j] == images[i]]
        pairs = (intersection_over_union(boxes[i : i + 1], boxes[j : j + 1]).item() for j in others)
        if all(overlap <= threshold for overlap in pairs):
            keep.append(i)
    return [i in keep for i in range(len(scores))]


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.4, 0.7]), st.sampled_from([1, 2, 9]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_suppression_equals_the_loop(seed: int, threshold: float, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(30, 2, generator=generator) * 30
    boxes = torch.cat([corner, corner + 5 + 20 * torch.rand(30, 2, generator=generator)], dim=1)
    scores = torch.rand(30, generator=generator)
    images = torch.randint(0, count, (30,), generator=generator)
    assert suppress_overlaps(boxes, scores, images, threshold).tolist() == naive_suppression(
        boxes, scores, images, threshold
    )


def test_suppression_of_a_chain() -> None:
    # Each box beats the next one only; the second goes, so the third stays, and so on.
    left = torch.arange(6.0) * 4
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], dim=1)
    scores = torch.arange(6, 0, -1).float()
    stays = suppress_overlaps(boxes, scores, torch.zeros(6, dtype=torch.int64), 0.4)
    assert stays.tolist() == [True, False] * 3


def test_no_boxes() -> None:
    none = suppress_overlaps(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.4)
    assert none.tolist() == []


def test_priors_by_the_usual_loop() -> None:
    height, width = 70, 41
    expected = []
    for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                expected += [[(column + 0.5) * stride, (row + 0.5) * stride, side] for side in sides]
    assert prior_boxes(height, width).tolist() == expected


def test_priors_are_kept_by_size() -> None:
    assert prior_boxes(48, 56) is prior_boxes(48, 56)


def test_decoding_by_hand() -> None:
    priors = torch.tensor([[20.0, 12.0, 16.0], [4.0, 4.0, 32.0]])
    boxes = torch.tensor([[[1.0, -2.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    landmarks = torch.arange(10.0).expand(1, 2, 10)
    logits = torch.tensor([[[0.0, 2.0], [3.0, 0.0]]])
    faces = decoded_faces(Predictions(logits, boxes, landmarks), priors, 0.5)
    assert faces.scores.tolist() == pytest.approx([1 / (1 + math.exp(-2))])
    x, y = 20 + 0.1 * 16, 12 - 2 * 0.1 * 16
    width, height = 16 * math.exp(0.2 * 0.5), 16.0
    expected = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    assert faces.boxes[0].tolist() == pytest.approx([edge + ORIGIN for edge in expected])
    assert faces.landmarks[0, 4].tolist() == pytest.approx([20 + 8 * 1.6 + ORIGIN, 12 + 9 * 1.6 + ORIGIN], abs=1e-5)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("size", [(64, 64), (33, 70), (1, 1)])
def test_a_prediction_for_every_prior(backbone: Backbone, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = RetinaFaceNetwork(backbone).eval()
    with torch.no_grad():
        predictions = network(torch.rand(2, 3, *size))
    count = len(prior_boxes(*size))
    assert [tuple(values.shape) for values in predictions] == [(2, count, 2), (2, count, 4), (2, count, 10)]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_keys_there_and_back(backbone: Backbone) -> None:
    with torch.device("meta"):
        keys = list(RetinaFaceNetwork(backbone).state_dict())
    foreign = [foreign_key(key) for key in keys]
    assert len(set(foreign)) == len(keys)
    assert [own_key(key) for key in foreign] == keys
    assert [own_key(f"module.{key}") for key in foreign] == keys
    beginnings = {key.split(".")[0].rstrip("123") for key in foreign}
    assert beginnings == {"body", "fpn", "ssh", "ClassHead", "BboxHead", "LandmarkHead"}


def test_resnet50_layout() -> None:
    with torch.device("meta"):
        state = {foreign_key(key): value for key, value in RetinaFaceNetwork("resnet50").state_dict().items()}
    # Sizes as the facexlib file of 109,497,761 bytes has them.
    assert state["body.conv1.weight"].shape == (64, 3, 7, 7)
    assert state["body.layer2.0.downsample.0.weight"].shape == (512, 256, 1, 1)
    assert state["body.layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert state["fpn.output3.0.weight"].shape == (256, 2048, 1, 1)
    assert state["ssh2.conv5X5_1.0.weight"].shape == (64, 256, 3, 3)
    assert state["ClassHead.1.conv1x1.weight"].shape == (4, 256, 1, 1)
    parameters = sum(
        value.numel() for key, value in state.items() if value.is_floating_point() and "running" not in key
    )
    assert parameters == 27_293_600


@pytest.mark.parametrize("backbone", BACKBONES)
def test_random_weights_through_a_file(backbone: Backbone, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = RetinaFaceNetwork(backbone).eval()
    path = tmp_path / "weights.pth"
    torch.save({f"module.{foreign_key(key)}": value for key, value in network.state_dict().items()}, path)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(network(images), load_retinaface(path, backbone)(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * ours.abs().max().item())


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_text("no weights")
    with pytest.raises(ValueError, match=r"not hold the weights of a RetinaFace with the backbone mobilenet0\.25"):
        RetinaFace(path)
    torch.save(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(ValueError, match="with the backbone resnet50"):
        RetinaFace(path, "resnet50")
    with pytest.raises(ValueError, match="between 0 and 1, got -1"):
        RetinaFace(path, threshold=-1.0)


@pytest.fixture(scope="session")
def detector(assets: Path) -> RetinaFace:
    return RetinaFace(assets / "weights/detect/retinaface_mobilenet0.25_Final.pth")


@pytest.mark.assets
def test_a_portrait(assets: Path, detector: RetinaFace) -> None:
    pixels = load_picture(assets / "images/portraits/lisa_cc0/lisa1.jpg").pixels.unsqueeze(0)
    image = nn.functional.interpolate(pixels, scale_factor=0.4, mode="bilinear", antialias=True)
    faces = detector(torch.cat([image, torch.zeros_like(image), image.flip(-1)]))
    assert faces.image_index.tolist() == [0, 2]
    straight, mirrored = faces.landmarks
    assert (image.shape[-1] - 1 - mirrored[1, 0] - straight[0, 0]).abs() < 4  # left and right as seen


# facexlib 0.3.0, RetinaFace("mobile0.25") with these weights, detect_faces(picture, conf_threshold=0.6) of the 240 x
# 320 pixels below as BGR in [0, 255]: box, score, five points; its origin is the corner of the first pixel.
FACEXLIB = (
    *(50.413455963134766, 60.874271392822266, 183.92977905273438, 270.0951232910156, 0.9969388246536255),
    *(87.36860656738281, 143.5768280029297, 152.495849609375, 142.71905517578125, 123.14742279052734),
    *(186.58602905273438, 97.4652099609375, 224.68490600585938, 144.32981872558594, 223.84823608398438),
)


@pytest.mark.assets
def test_parity_with_facexlib(assets: Path, detector: RetinaFace) -> None:
    pixels = load_picture(assets / "images/portraits/lisa_cc0/lisa1.jpg").pixels.unsqueeze(0)
    image = nn.functional.interpolate(pixels, scale_factor=0.4, mode="bilinear", antialias=True)
    faces = detector((image * 255).round() / 255)
    found = torch.cat([faces.boxes - ORIGIN, faces.scores[:, None], faces.landmarks.flatten(1) - ORIGIN], dim=1)
    torch.testing.assert_close(found, torch.tensor([FACEXLIB]), atol=2e-3, rtol=0)


@pytest.mark.assets
def test_convention_input_is_bgr(assets: Path, detector: RetinaFace) -> None:
    """The network gets BGR less the mean: its first convolution sees what arithmetic by hand says."""
    seen: list[torch.Tensor] = []
    handle = detector.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    red = torch.zeros(1, 3, 32, 32)
    red[:, 0] = 1.0
    detector(red)
    handle.remove()
    assert seen[0][0, :, 0, 0].tolist() == [-104, -117, 255 - 123]


def test_no_image_has_no_face(tmp_path: Path) -> None:
    torch.save(RetinaFaceNetwork("mobilenet0.25").state_dict(), tmp_path / "random.pth")
    assert len(RetinaFace(tmp_path / "random.pth")(torch.rand(0, 3, 64, 64))) == 0
