from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from portraitdata.networks.perceptual_backbones import (
    CONVOLUTIONS,
    SLIM_KEYS,
    TORCHVISION_KEYS,
    TORCHVISION_VGG16_KEYS,
    VGG16,
    MissingBackboneError,
    load_backbone,
    slim_vgg19,
    torchvision_vgg16,
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
    """State dict in torchvision's layout of VGG-19, with a sixteenth of its channels."""
    return kernels(TORCHVISION_KEYS, (4, 8, 16, 32, 32)) | {"classifier.0.weight": torch.zeros(2, 2)}


@pytest.fixture(scope="module")
def narrow16():
    """The same of VGG-16."""
    return kernels(TORCHVISION_VGG16_KEYS, (4, 8, 16, 32, 32)) | {"classifier.0.weight": torch.zeros(2, 2)}


BUILDERS = {"slim": slim_vgg19, "narrow": torchvision_vgg19, "narrow16": torchvision_vgg16}


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


# indices of torchvision's sequence: the last convolution of every block, and the rectifier after conv3_1
@pytest.mark.parametrize(
    ("letter", "build", "expected"),
    [
        ("E", torchvision_vgg19, {"conv1_2": 2, "conv2_2": 7, "relu3_1": 11, "conv4_4": 25, "conv5_4": 34}),
        ("D", torchvision_vgg16, {"conv1_2": 2, "conv2_2": 7, "relu3_1": 11, "conv4_3": 21, "conv5_3": 28}),
    ],
)
def test_torchvision_features_are_those_of_its_model(letter, build, expected):
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    model = make_layers(cfgs[letter])  # the convolutional part of its vgg19 or vgg16
    backbone = build({f"features.{key}": value for key, value in model.state_dict().items()})
    x = images(32)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        features = backbone(x, list(expected))
        for name, index in expected.items():
            torch.testing.assert_close(features[name], model[: index + 1]((x - mean) / std), rtol=1e-4, atol=1e-5)


def test_key_tables_name_every_convolution_once():
    assert list(TORCHVISION_KEYS) == list(CONVOLUTIONS)
    assert len(set(TORCHVISION_KEYS.values())) == 16
    assert list(TORCHVISION_VGG16_KEYS) == list(VGG16) == [n for n in CONVOLUTIONS if n[4] in "12" or n[6] in "123"]
    assert len(set(TORCHVISION_VGG16_KEYS.values())) == 13
    assert list(SLIM_KEYS) == list(CONVOLUTIONS[:13])
    assert SLIM_KEYS["conv5_1"] == "conv51"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("layout", list(BUILDERS))
def test_files_of_all_layouts_are_recognised(tmp_path, request, layout, suffix):
    tensors = request.getfixturevalue(layout)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"epoch": 20, "model": tensors} if layout == "slim" else tensors, path)
    loaded, direct = load_backbone(path), BUILDERS[layout](tensors)
    assert (loaded.names, loaded.layers, loaded.padding) == (direct.names, direct.layers, direct.padding)
    last = direct.names[-1]
    expected = direct(images(32), [last])[last]
    torch.testing.assert_close(
        loaded(images(32), [last])[last], expected, rtol=0, atol=1e-5 * expected.abs().max().item()
    )


@pytest.mark.parametrize(
    ("name", "file", "layout"),
    [("vgg19", "vgg19-dcbb9e9d.pth", "narrow"), ("vgg16", "vgg16-397923af.pth", "narrow16")],
)
def test_by_name_it_is_the_file_in_the_cache_of_torch_hub(tmp_path, monkeypatch, request, name, file, layout):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingBackboneError, match=rf"{file} is missing\. torchvision publishes it .* of {name} "):
        load_backbone(name)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(request.getfixturevalue(layout), folder / file)
    assert load_backbone(name).names == BUILDERS[layout](request.getfixturevalue(layout)).names


def test_a_missing_file_is_named_with_a_way_out(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.pth is missing.*slim one of Collaborative Distillation"):
        load_backbone(tmp_path / "no.pth")


def test_another_network_is_refused(tmp_path, narrow):
    path = tmp_path / "other.safetensors"
    save_file({key: value for key, value in narrow.items() if key != "features.2.bias"}, path)
    with pytest.raises(ValueError, match=r"neither torchvision's VGG-19 or VGG-16 .* its first keys are \['classifier"):
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


@pytest.mark.parametrize(
    ("layout", "size", "reached"),
    [("slim", 16, 4), ("slim", 32, 5), ("narrow", 16, 5), ("narrow", 4, 3), ("narrow16", 4, 3)],
)
def test_small_images_reach_fewer_layers(request, layout, size, reached):
    backbone = BUILDERS[layout](request.getfixturevalue(layout))
    features = backbone(images(size), list(backbone.layers))
    assert list(features) == list(backbone.layers)[:reached]
    assert all(f.isfinite().all() for f in features.values())


def test_images_too_small_for_any_layer_are_refused(slim):
    with pytest.raises(ValueError, match="8 x 8 pixels are too small for conv5_1"):
        slim_vgg19(slim)(images(8), ["conv5_1"])


def test_no_images_have_no_features(slim):
    x = images(32, 0).requires_grad_()
    features = slim_vgg19(slim)(x, ["relu1_1", "relu5_1"])
    assert features["relu5_1"].shape == (0, 128, 2, 2)
    sum(f.sum() for f in features.values()).backward()
    assert x.grad.shape == x.shape
