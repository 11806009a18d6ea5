import pytest
import torch
from safetensors.torch import save_file

from hime.losses.perceptual import PerceptualLoss, perceptual_loss
from portraitdata.networks.perceptual_backbones import SLIM_KEYS, MissingBackboneError, slim_vgg19

SLIM_WIDTHS = (16, 32, 64, 128, 128)


def images(size, count=1, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def slim():
    """Random weights in the layout of Collaborative Distillation, which keep the size of the features."""
    generator = torch.Generator().manual_seed(1)
    tensors, inputs = {"conv0.weight": torch.randn(3, 3, 1, 1), "conv0.bias": torch.randn(3)}, 3
    for name, key in SLIM_KEYS.items():
        outputs = SLIM_WIDTHS[int(name[4]) - 1]
        tensors[f"{key}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        tensors[f"{key}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        inputs = outputs
    return tensors


def test_a_backbone_is_read_from_its_file(tmp_path, slim):
    save_file(slim, tmp_path / "slim.safetensors")
    sr, hr = images(32, seed=2), images(32, seed=3)
    backbone = slim_vgg19(slim)
    found = PerceptualLoss(tmp_path / "slim.safetensors")(sr, hr)
    torch.testing.assert_close(found, perceptual_loss(sr, hr, backbone, backbone.layers), rtol=1e-5, atol=0)
    with pytest.raises(MissingBackboneError, match=r"no\.pth is missing"):
        PerceptualLoss(tmp_path / "no.pth")


def test_loss_is_the_weighted_sum_of_mean_distances(slim):
    sr, hr = images(32, 2, seed=2), images(32, 2, seed=3)
    backbone = slim_vgg19(slim)
    a, b = (backbone(x, ["relu2_1", "relu4_1"]) for x in (sr, hr))
    expected = 2 * (a["relu2_1"] - b["relu2_1"]).abs().mean() + 0.5 * (a["relu4_1"] - b["relu4_1"]).abs().mean()
    torch.testing.assert_close(perceptual_loss(sr, hr, backbone, {"relu2_1": 2.0, "relu4_1": 0.5}), expected)


def test_layers_must_be_there(slim):
    with pytest.raises(ValueError, match=r"conv1_1 to conv5_1 .* got \['conv5_4'\]"):
        perceptual_loss(images(32), images(32), slim_vgg19(slim), {"conv2_1": 1.0, "conv5_4": 1.0})
    with pytest.raises(ValueError, match="got none"):
        perceptual_loss(images(32), images(32), slim_vgg19(slim), {})


def test_is_frozen_and_stays_out_of_checkpoints_and_optimizers(tmp_path, slim):
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
        weight * perceptual_loss(blurred[2], sharp, loss.backbone, {name: 1.0})
        for name, weight in loss.backbone.layers.items()
    ]
    assert max(parts) < 0.5 * sum(parts)
