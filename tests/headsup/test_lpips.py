import pytest
import torch
from safetensors.torch import save_file

from headsup.losses.lpips import PerceptualDistance, layer_distance, unit_vectors
from portraitdata.networks.perceptual_backbones import (
    SLIM_KEYS,
    TORCHVISION_VGG16_KEYS,
    VGG16,
    MissingBackboneError,
    slim_vgg19,
)

WIDTHS = {"slim": (16, 32, 64, 128, 128), "vgg16": (64, 128, 256, 512, 512)}


def images(size=32, count=2, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def kernels(keys, widths):
    """Random weights that keep the size of the features, by the file's names."""
    generator, tensors, inputs = torch.Generator().manual_seed(1), {}, 3
    for name, key in keys.items():
        outputs = widths[int(name[4]) - 1]
        tensors[f"{key}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        tensors[f"{key}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        inputs = outputs
    return tensors


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of a VGG-16 and of a slim VGG-19, with random weights."""
    folder = tmp_path_factory.mktemp("backbones")
    save_file(kernels(TORCHVISION_VGG16_KEYS, WIDTHS["vgg16"]), folder / "vgg16.safetensors")
    colours = {"conv0.weight": torch.eye(3).reshape(3, 3, 1, 1).clone(), "conv0.bias": torch.full((3,), -0.5)}
    save_file(colours | kernels(SLIM_KEYS, WIDTHS["slim"]), folder / "slim.safetensors")
    return {name: folder / f"{name}.safetensors" for name in WIDTHS}


@pytest.fixture(scope="module", params=["vgg16", "slim"])
def distance(request, files):
    return PerceptualDistance(files[request.param])


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torchvision, about how lpips asks for its networks
def test_on_vgg16_it_is_that_of_the_package_lpips(files):
    import lpips

    ours = PerceptualDistance(files["vgg16"])
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    tensors = kernels(TORCHVISION_VGG16_KEYS, WIDTHS["vgg16"])
    slices = {index: number for number, sequence in enumerate(SLICES, 1) for index in sequence}
    renamed = {
        f"slice{slices[int(key.split('.')[1])]}.{key.removeprefix('features.')}": tensors[key] for key in tensors
    }
    theirs.net.load_state_dict(renamed)
    a, b = images(48, seed=1), images(48, seed=2)
    with torch.no_grad():
        expected = theirs(a, b, normalize=True).flatten()
    assert ours.calibrated
    assert expected.min() > 0.01
    torch.testing.assert_close(ours(a, b), expected, rtol=1e-4, atol=1e-5)


# convolutions of torchvision's VGG-16 in the parts that lpips cuts it into
SLICES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def test_layer_distance_by_hand():
    # of lengths 5 and 10 at the left place, 1 and 2 at the right one
    a = torch.tensor([[3.0, 1.0], [4.0, 0.0]]).reshape(1, 2, 1, 2)
    b = torch.tensor([[10.0, 0.0], [0.0, 2.0]]).reshape(1, 2, 1, 2)
    # left: 2 (0.6 - 1)^2 + 3 (0.8 - 0)^2 = 2.24, right: 2 + 3 = 5
    assert layer_distance(a, b, torch.tensor([2.0, 3.0])).tolist() == [pytest.approx((2.24 + 5) / 2)]


def test_gradients_of_the_layer_distance():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 2, 3, 2, 2, dtype=torch.float64, generator=generator)
    weights = torch.rand(3, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda x: layer_distance(x, b, weights), a.requires_grad_())


def test_gradient_is_finite_where_all_features_are_zero():
    a = torch.zeros(1, 4, 2, 2, requires_grad=True)
    layer_distance(a, torch.ones(1, 4, 2, 2), torch.ones(4)).sum().backward()
    assert a.grad.isfinite().all()
    assert unit_vectors(torch.full((1, 4, 1, 1), 3.0)).flatten().tolist() == pytest.approx([0.5] * 4)


def test_stand_in_is_the_mean_over_layers_of_equally_weighted_channels(files):
    from safetensors.torch import load_file

    layers = [f"relu{block}_1" for block in range(1, 6)]
    backbone = slim_vgg19(load_file(files["slim"]))
    a, b = images(32, seed=1), images(32, seed=2)
    distances = []
    for x, y in zip(backbone(a, layers).values(), backbone(b, layers).values(), strict=True):
        cosine = torch.nn.functional.cosine_similarity(x, y, dim=1)
        distances.append((2 - 2 * cosine).mean(dim=(1, 2)))  # |u - v|^2 of unit vectors
    stand_in = PerceptualDistance(files["slim"])
    assert not stand_in.calibrated
    torch.testing.assert_close(stand_in(a, b), torch.stack(distances).mean(dim=0), rtol=1e-4, atol=1e-5)


def test_every_image_has_its_distance(distance):
    a, b = images(seed=1), images(seed=2)
    found = distance(a, b)
    assert found.shape == (2,)
    assert (found > 0).all()
    torch.testing.assert_close(found[1:], distance(a[1:], b[1:]))
    torch.testing.assert_close(distance(b, a), found)
    assert not distance(a, a).any()


def test_gradient_flows_to_the_first_images_only(distance):
    a, b = images(seed=1).requires_grad_(), images(seed=2).requires_grad_()
    distance(a, b).sum().backward()
    assert a.grad.isfinite().all()
    assert a.grad.count_nonzero() > 0.9 * a.numel()
    assert b.grad is None


def test_gradient_is_that_of_finite_differences(files):
    distance = PerceptualDistance(files["slim"])
    a, b = images(seed=1, count=1).requires_grad_(), images(seed=2, count=1)
    distance(a, b).sum().backward()
    direction = a.grad / a.grad.norm()
    step = 0.02
    with torch.no_grad():
        rise = (distance(a + step * direction, b) - distance(a - step * direction, b)).item() / (2 * step)
    assert rise == pytest.approx(a.grad.norm().item(), rel=0.05)


def test_is_frozen_and_stays_out_of_checkpoints_and_optimizers(distance):
    assert not list(distance.parameters())
    assert not distance.state_dict()
    assert list(distance.buffers())


def test_is_computed_in_float32_inside_autocast(distance):
    a, b = images(seed=1), images(seed=2)
    with torch.autocast("cpu", torch.bfloat16):
        found = distance(a, b)
    assert found.equal(distance(a, b))
    assert distance(a.bfloat16(), b).dtype == torch.float32


def test_without_images_it_is_empty_and_part_of_the_graph(distance):
    a = images(count=0).requires_grad_()
    found = distance(a, images(count=0))
    assert found.shape == (0,)
    found.sum().backward()
    assert a.grad is not None


def test_a_missing_file_is_named_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingBackboneError, match=r"vgg16-397923af\.pth is missing\..*528 MB.*turn the term off"):
        PerceptualDistance()
    with pytest.raises(FileNotFoundError, match=r"no\.pth is missing"):
        PerceptualDistance(tmp_path / "no.pth")


def test_another_network_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"neither torchvision's VGG-19 or VGG-16"):
        PerceptualDistance(tmp_path / "other.safetensors")


def test_a_vgg16_of_other_widths_has_no_calibrated_weights(tmp_path):
    save_file(kernels(TORCHVISION_VGG16_KEYS, (4, 8, 16, 32, 32)), tmp_path / "narrow.safetensors")
    assert not PerceptualDistance(tmp_path / "narrow.safetensors").calibrated


def test_small_images_reach_fewer_layers(files):
    distance = PerceptualDistance(files["slim"])
    a, b = images(4, seed=1), images(4, seed=2)
    layers = ("relu1_1", "relu2_1")
    found, wanted = (distance.backbone(x, layers) for x in (a, b))
    equal = [torch.full((WIDTHS["slim"][block],), 1 / 5) for block in range(2)]
    parts = [layer_distance(found[name], wanted[name], weight) for name, weight in zip(layers, equal, strict=True)]
    torch.testing.assert_close(distance(a, b), parts[0] + parts[1])


def test_layers_are_those_of_lpips(files):
    assert PerceptualDistance(files["vgg16"]).layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    assert len(VGG16) == 13


@pytest.mark.assets
def test_distance_grows_with_blur(assets):
    from PIL import Image, ImageFilter
    from torchvision.transforms.functional import to_tensor

    distance = PerceptualDistance(assets / "weights/perceptual/vgg19_16x_SE5.pth")
    portrait = Image.open(assets / "images/portraits/lisa_cc0/lisa1.jpg").convert("RGB").resize((128, 128))
    sharp = to_tensor(portrait)[None]
    blurred = torch.cat(
        [to_tensor(portrait.filter(ImageFilter.GaussianBlur(radius)))[None] for radius in (0.5, 1, 2, 4)]
    )
    found = distance(blurred, sharp.expand(4, -1, -1, -1)).tolist()
    assert not distance.calibrated
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] < 2
