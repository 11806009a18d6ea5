"""Measures of restored portraits, on drawn pictures and random weights."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measures import vgg16_hed
from benchmarks.measures.dense_landmarks import MOUTH, SIDE, MouthAndEyes, crop_matrix
from benchmarks.measures.laplacian_band import PixelGrid, Sharpness, pixel_grid
from benchmarks.measures.niqe import Niqe, asymmetric_gaussian
from benchmarks.measures.vgg16_hed import LAYERS, Vgg16HedDistance, caffe_colours, face_square
from benchmarks.peers.packaged_weights import NoPackageError, packaged_file
from benchmarks.photographs import photographs
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import load_picture
from portraitdata.degradation.jpeg import compressed
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.networks.perceptual_backbones import VGG, VGG16
from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import ImagePair


def drawn(side: int) -> Tensor:
    """Discs, edges and a gradient with fine detail."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    disc = ((x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 3) ** 2).float()
    waves = 0.1 * torch.sin(x * 1.3) * torch.sin(y * 0.9)
    return to_8_bit((0.25 + 0.4 * disc + 0.2 * x / side + waves).expand(1, 3, side, side).contiguous())


def blurred(image: Tensor, sigma: float) -> Tensor:
    """By a Gaussian."""
    line = torch.exp(-(torch.arange(-6, 7) ** 2) / (2 * sigma**2))
    kernel = torch.outer(line, line).div(line.sum() ** 2).expand(3, 1, 13, 13)
    return F.conv2d(F.pad(image, (6,) * 4, mode="reflect"), kernel, groups=3)


def jpeg(image: Tensor, quality: int) -> Tensor:
    """Compressed and decompressed."""
    pixels = np.ascontiguousarray(image[0].permute(1, 2, 0).numpy())
    return torch.from_numpy(compressed(pixels, quality)).permute(2, 0, 1).unsqueeze(0)


def noisy(image: Tensor, level: float) -> Tensor:
    """With noise of that standard deviation, of 255."""
    return image + level / 255 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


class Whole(FaceFinder):
    """A finder for which the whole picture is an aligned face."""

    def __init__(self) -> None:
        super().__init__(None, aligned=True)


def random_vgg() -> VGG:
    """A VGG-16 of a few channels."""
    generator, inputs, weights = torch.Generator().manual_seed(0), 3, {}
    for name in VGG16:
        outputs = 4 * int(name[4])
        weights[name] = (
            torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5),
            torch.zeros(outputs),
        )
        inputs = outputs
    return VGG(caffe_colours(), weights, "zeros", dict.fromkeys(LAYERS, 1.0))


def test_colours_are_caffes() -> None:
    kernel, bias = caffe_colours()
    red = F.conv2d(torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1), kernel, bias).flatten()
    torch.testing.assert_close(red, torch.tensor([-103.939, -116.779, 255 - 123.68]))


def test_distance_is_the_mean_over_blocks_of_unit_vectors() -> None:
    backbone = random_vgg()
    truth, other = drawn(64), blurred(drawn(64), 2)
    parts = []
    for layer in LAYERS:
        a, b = (backbone(image, [layer])[layer] for image in (truth, other))
        a, b = (f / (f.square().sum(dim=1, keepdim=True) + 1e-8).sqrt() for f in (a, b))
        parts.append((a - b).square().sum(dim=1).mean().item())
    measure = Vgg16HedDistance(Whole(), backbone)
    assert measure.between(other, truth) == pytest.approx(sum(parts) / 5, rel=1e-5)
    assert measure.between(truth, truth) == 0
    assert measure(ImagePair("a", truth, truth)) == (0,)


def check_rises(measure: Vgg16HedDistance, truth: Tensor) -> None:
    """Assert that more damage of a kind is a larger distance."""
    for worse in (
        [blurred(truth, sigma) for sigma in (0.7, 1.2, 2.0, 3.0)],
        [jpeg(truth, quality) for quality in (90, 60, 30, 10)],
        [noisy(truth, level) for level in (2, 6, 15, 30)],
    ):
        distances = [measure.between(image, truth) for image in (truth, *worse)]
        assert distances == sorted(distances)
        assert distances[0] == 0 < distances[1]


@pytest.mark.assets
def test_distance_rises_with_blur_jpeg_and_noise() -> None:
    try:
        backbone = vgg16_hed.load_vgg16_hed()
    except NoPackageError as error:
        pytest.skip(str(error))
    check_rises(Vgg16HedDistance(Whole(), backbone), drawn(128))


@pytest.mark.skipif(find_spec("h5py") is None, reason="needs h5py")
def test_keras_kernels_are_turned(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name in VGG16:
            block, number = name.removeprefix("conv").split("_")
            layer = f"block{block}/layers/" + ("conv2d" if number == "1" else f"conv2d_{int(number) - 1}")
            file[f"{layer}/vars/0"] = np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2)
            file[f"{layer}/vars/1"] = np.full(2, int(block), np.float32)
    found = vgg16_hed.read_convolutions(tmp_path / "w.h5")
    kernel, bias = found["conv5_3"]
    assert kernel.shape == (2, 3, 3, 3)
    assert kernel[1, 2, 0, 1] == 6 + 4 + 1  # row 0, column 1, input 2, output 1
    assert bias.tolist() == [5, 5]


def test_what_is_not_installed_is_said() -> None:
    with pytest.raises(NoPackageError, match=r"needs the package no-such-thing \(`uv pip install"):
        packaged_file("no-such-thing", "a")


def test_square_stays_within_the_picture() -> None:
    assert face_square(torch.tensor([0.0, 0.0, 64.0, 80.0]), 90, 70) == (0, 0, 70, 90)


def test_sharpness_falls_with_blur_and_is_one_for_the_truth() -> None:
    truth, measure = drawn(64), Sharpness(Whole())
    (one,), (less,), (least,) = (
        measure(ImagePair("a", x, truth)) for x in (truth, blurred(truth, 0.7), blurred(truth, 2))
    )
    assert one == pytest.approx(1)
    assert 1 > less > least > 0


def test_pixel_grid_finds_squares_of_two_pixels_and_nothing_else() -> None:
    image = drawn(128)
    pattern = torch.tensor([[1.0, -1.0], [0.0, 0.0]]).repeat(64, 64) * 4 / 255
    assert pixel_grid(image + pattern) > 5 * pixel_grid(image)
    assert pixel_grid(torch.zeros(1, 3, 64, 64) + pattern[:64, :64]) == pytest.approx(4 * 0.5**0.5 * 0.9, rel=0.15)
    enlarged = bicubic(bicubic(image, 64, 64), 128, 128)
    assert pixel_grid(enlarged) < 1.5 * pixel_grid(image)
    odd = PixelGrid()(ImagePair("a", image[..., :127, :125], image[..., :127, :125]))[0]
    assert odd == pytest.approx(pixel_grid(image[..., :126, :124]))


@pytest.mark.parametrize("shape", [0.8, 2.0])
def test_shape_of_a_generalised_gaussian_is_found(shape: float) -> None:
    generator = np.random.default_rng(0)
    sizes = generator.gamma(1 / shape, size=200_000) ** (1 / shape)
    found, left, right = asymmetric_gaussian((sizes * generator.choice([-1, 1], len(sizes)))[None])
    assert found == pytest.approx(shape, rel=0.03)
    assert left == pytest.approx(1, rel=0.03)
    assert right == pytest.approx(1, rel=0.03)


def test_niqe_needs_several_blocks(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "p.npz",
        mu_pris_param=np.zeros((1, 36)),
        cov_pris_param=np.eye(36),
        gaussian_window=np.ones((7, 7)) / 49,
    )
    measure = Niqe(tmp_path / "p.npz")
    image = noisy(drawn(192), 5).clamp(0, 1)
    assert measure(ImagePair("a", image[..., :128, :128], image[..., :128, :128])) == (None,)
    (number,) = measure(ImagePair("a", image, image))
    assert number is not None
    assert number > 0


@pytest.mark.assets
def test_niqe_of_noise_and_of_blur_is_worse_than_that_of_a_photograph() -> None:
    folder = photographs()
    pixels = load_picture(folder / "images/portraits/london_ccby4/008_smiling.jpg").pixels
    truth = to_8_bit(bicubic(pixels[None], 512, 512))
    measure = Niqe(folder / "weights/iqa/niqe_pris_params.npz")
    clean, *worse = (measure(ImagePair("a", x, x))[0] for x in (truth, blurred(truth, 3), noisy(truth, 15).clamp(0, 1)))
    assert clean is not None
    assert 4.5 < clean < 6.5
    assert all(each is not None and each > clean + 3 for each in worse)


def face_at(side: float, turned: bool) -> Faces:
    """A face in the middle of 200 pixels; turned, it looks to the right with its eyes one above the other."""
    points = (FFHQ_512.scaled(round(side)).tensor().float() + (200 - side) / 2).unsqueeze(0)
    if turned:
        points = torch.stack((199 - points[..., 1], points[..., 0]), dim=-1)
    edge = (200 - side) / 2
    return Faces(torch.tensor([0]), torch.tensor([[edge, edge, 200 - edge, 200 - edge]]), points, torch.ones(1))


def test_crop_is_turned_and_has_its_margin() -> None:
    level, turned = (crop_matrix(face_at(100, turned)) for turned in (False, True))
    centre = np.array([100.0, 100.0, 1.0])
    np.testing.assert_allclose(level @ centre, [(SIDE - 1) / 2] * 2, atol=1e-6)
    assert np.hypot(*level[0, :2]) == pytest.approx(SIDE / 150)
    eyes = np.c_[face_at(100, True).landmarks[0, :2].double().numpy(), np.ones(2)] @ turned.T
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3)
    assert eyes[0, 0] < eyes[1, 0]


def test_mouth_and_eyes_are_measured_apart() -> None:
    truth, other = drawn(64), blurred(drawn(64), 1)
    lips = torch.tensor(MOUTH)

    class Moved:
        def __call__(self, image: Tensor, face: Faces) -> Tensor:
            points = torch.zeros(468, 2)
            if torch.equal(image, other[0]):
                points[lips] = torch.tensor([3.0, 4.0])
            return points

    finder = Whole()
    measure = MouthAndEyes(finder, Moved())  # type: ignore[arg-type]
    eyes = finder.target(ImagePair("a", other, truth)).eye_distance().item()
    assert measure(ImagePair("a", other, truth)) == pytest.approx((500 / eyes, 0))
