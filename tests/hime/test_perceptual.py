from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from hime.losses.perceptual import PerceptualLoss, perceptual_loss
from hime.perceptual_backbones import (
    CONVOLUTIONS,
    SLIM_KEYS,
    TORCHVISION_KEYS,
    MissingBackboneError,
    load_backbone,
    slim_vgg19,
    torchvision_vgg19,
)

SLIM_WIDTHS = (16, 32, 64, 128, 128)
VGG_BLOCKS = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))


def images(size, count=1, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def kernels(keys, widths):
    """Random weights that keep the size of the features, by the file's names."""
    generator = torch.Generator().manual_seed(1)
    tensors, inputs = {}, 3
    for name, key in keys.items():
        outputs = widths[int(name[4]) - 1]
        tensors[f"{key}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        tensors[f"{key}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        inputs = outputs
    return tensors


@pytest.fixture(scope="module")
def slim():
    """State dict in the layout of Collaborative Distillation."""
    colours = {"conv0.weight": torch.randn(3, 3, 1, 1), "conv0.bias": torch.randn(3)}
    return colours | kernels(SLIM_KEYS, SLIM_WIDTHS) | {"conv11_aux.weight": torch.zeros(64, 16, 1, 1)}


@pytest.fixture(scope="module")
def narrow():
    """State dict in torchvision's layout, with a sixteenth of its channels."""
    return kernels(TORCHVISION_KEYS, (4, 8, 16, 32, 32)) | {"classifier.0.weight": torch.zeros(2, 2)}


def slim_features(tensors, x):
    """The forward pass of the slim VGG-19, written down once more."""
    x, out = F.conv2d(x, tensors["conv0.weight"], tensors["conv0.bias"]), []
    for block, count in VGG_BLOCKS:
        for i in range(1, count + 1):
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(x, tensors[f"conv{block}{i}.weight"], tensors[f"conv{block}{i}.bias"]))
            if i == 1:
                out.append(x)
        if block < 5:
            x = F.max_pool2d(x, 2)
    return out


def test_slim_features_are_those_of_its_layout(slim):
    x = images(48, 2)
    features = slim_vgg19(slim)(x, [f"relu{block}_1" for block in range(1, 6)])
    torch.testing.assert_close(list(features.values()), slim_features(slim, x))


def test_torchvision_features_are_those_of_its_model():
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    model = make_layers(cfgs["E"])  # the convolutional part of its vgg19
    backbone = torchvision_vgg19({f"features.{key}": value for key, value in model.state_dict().items()})
    x = images(32)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        # indices of torchvision's sequence: the last convolution of every block, and the rectifier after conv3_1
        expected = {"conv1_2": 2, "conv2_2": 7, "relu3_1": 11, "conv4_4": 25, "conv5_4": 34}
        features = backbone(x, list(expected))
        for name, index in expected.items():
            torch.testing.assert_close(features[name], model[: index + 1]((x - mean) / std), rtol=1e-4, atol=1e-5)


def test_key_tables_name_every_convolution_once():
    assert list(TORCHVISION_KEYS) == list(CONVOLUTIONS)
    assert len(set(TORCHVISION_KEYS.values())) == 16
    assert list(SLIM_KEYS) == list(CONVOLUTIONS[:13])
    assert SLIM_KEYS["conv5_1"] == "conv51"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("layout", ["slim", "narrow"])
def test_files_of_both_layouts_are_recognised(tmp_path, request, layout, suffix):
    tensors = request.getfixturevalue(layout)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"epoch": 20, "model": tensors} if layout == "slim" else tensors, path)
    loss = PerceptualLoss(path)
    direct = (slim_vgg19 if layout == "slim" else torchvision_vgg19)(tensors)
    sr, hr = images(32, seed=2), images(32, seed=3)
    assert loss(sr, hr) == perceptual_loss(sr, hr, direct, direct.layers)


def test_by_name_it_is_the_file_in_the_cache_of_torch_hub(tmp_path, monkeypatch, narrow):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingBackboneError, match=r"vgg19-dcbb9e9d\.pth is missing\. torchvision publishes it"):
        PerceptualLoss("vgg19")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(narrow, folder / "vgg19-dcbb9e9d.pth")
    assert PerceptualLoss("vgg19").available


def test_a_missing_file_is_named_with_a_way_out(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.pth is missing.*slim one of Collaborative Distillation"):
        PerceptualLoss(tmp_path / "no.pth")


def test_another_network_is_refused(tmp_path, narrow):
    path = tmp_path / "other.safetensors"
    save_file({key: value for key, value in narrow.items() if key != "features.2.bias"}, path)
    with pytest.raises(ValueError, match=r"neither torchvision's VGG-19 .* its first keys are \['classifier"):
        load_backbone(path)


def test_nothing_but_tensors_is_unpickled(tmp_path):
    path = tmp_path / "code.pth"
    torch.save({"model": Path("not a tensor")}, path)
    with pytest.raises(ValueError, match="cannot be read safely"):
        load_backbone(path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"code\.pth cannot be read safely: it is damaged"):
        load_backbone(path)
    torch.save([torch.zeros(1)], path)
    with pytest.raises(ValueError, match="must hold tensors by name, got a list"):
        load_backbone(path)


def test_without_a_backbone_the_term_is_off():
    loss = PerceptualLoss(None)
    assert not loss.available
    with pytest.raises(RuntimeError, match="without a backbone"):
        loss(images(16), images(16))


def test_loss_is_the_weighted_sum_of_mean_distances(slim):
    sr, hr = images(32, 2, seed=2), images(32, 2, seed=3)
    backbone = slim_vgg19(slim)
    a, b = slim_features(slim, sr), slim_features(slim, hr)
    expected = 2 * (a[1] - b[1]).abs().mean() + 0.5 * (a[3] - b[3]).abs().mean()
    torch.testing.assert_close(perceptual_loss(sr, hr, backbone, {"relu2_1": 2.0, "relu4_1": 0.5}), expected)


def test_layers_and_weights_can_be_chosen(tmp_path, slim):
    save_file(slim, tmp_path / "slim.safetensors")
    sr, hr = images(32, seed=2), images(32, seed=3)
    chosen = [PerceptualLoss(tmp_path / "slim.safetensors", ["conv2_1", "relu3_3"], w) for w in (None, [1.0, 1.0])]
    assert chosen[0](sr, hr) == chosen[1](sr, hr)
    with pytest.raises(ValueError, match=r"one weight for each of \['conv2_1'\], got \[1\.0, 2\.0\]"):
        PerceptualLoss(tmp_path / "slim.safetensors", ["conv2_1"], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"conv1_1 to conv5_1 .* got \['conv5_4'\]"):
        PerceptualLoss(tmp_path / "slim.safetensors", ["conv2_1", "conv5_4"])
    with pytest.raises(ValueError, match="got none"):
        PerceptualLoss(tmp_path / "slim.safetensors", [])


def test_is_frozen_and_stays_out_of_checkpoints_and_optimisers(tmp_path, slim):
    save_file(slim, tmp_path / "slim.safetensors")
    loss = PerceptualLoss(tmp_path / "slim.safetensors").train()
    assert not list(loss.parameters())
    assert not loss.state_dict()
    assert loss.double().backbone.get_buffer("conv1_1_weight").dtype == torch.float64


def test_gradient_flows_to_the_super_resolved_image_only(slim):
    sr, hr = images(32, seed=2).requires_grad_(), images(32, seed=3).requires_grad_()
    backbone = slim_vgg19(slim)
    perceptual_loss(sr, hr, backbone, backbone.layers).backward()
    assert sr.grad.isfinite().all()
    assert sr.grad.count_nonzero() > 0.9 * sr.numel()
    assert hr.grad is None


@pytest.mark.parametrize(
    ("layout", "size", "reached"), [("slim", 16, 4), ("slim", 32, 5), ("narrow", 16, 5), ("narrow", 4, 3)]
)
def test_small_images_reach_fewer_layers(request, layout, size, reached):
    backbone = (slim_vgg19 if layout == "slim" else torchvision_vgg19)(request.getfixturevalue(layout))
    features = backbone(images(size), list(backbone.layers))
    assert list(features) == list(backbone.layers)[:reached]
    assert all(f.isfinite().all() for f in features.values())


def test_images_too_small_for_any_layer_are_refused(slim):
    with pytest.raises(ValueError, match="8 x 8 pixels are too small for conv5_1"):
        slim_vgg19(slim)(images(8), ["conv5_1"])


def test_is_computed_in_float32_inside_autocast(slim):
    sr, hr = images(32, seed=2), images(32, seed=3)
    backbone = slim_vgg19(slim)
    expected = perceptual_loss(sr, hr, backbone, backbone.layers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert perceptual_loss(sr, hr, backbone, backbone.layers) == expected


@pytest.mark.assets
def test_distance_grows_with_blur(assets):
    from PIL import Image, ImageFilter
    from torchvision.transforms.functional import to_tensor

    loss = PerceptualLoss(assets / "weights/perceptual/vgg19_16x_SE5.pth")
    portrait = Image.open(assets / "images/portraits/lisa_cc0/lisa1.jpg").convert("RGB").resize((128, 128))
    sharp = to_tensor(portrait)[None]
    blurred = [to_tensor(portrait.filter(ImageFilter.GaussianBlur(radius)))[None] for radius in (0.5, 1, 2, 4)]
    distances = [loss(image, sharp).item() for image in blurred]
    assert loss(sharp, sharp) == 0
    assert distances == sorted(distances)
    assert distances[0] > 0.05
    # weighted to count the same: no layer carries more than half of the distance
    parts = [
        weight * perceptual_loss(blurred[2], sharp, loss.backbone, {name: 1.0}) for name, weight in loss.layers.items()
    ]
    assert max(parts) < 0.5 * sum(parts)
