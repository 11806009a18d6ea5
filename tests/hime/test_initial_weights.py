"""What a run may begin with."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from hime.blocks.spynet import SPyNet
from hime.network import HIME
from hime.training.initial_weights import begin_as, begin_flow
from hime.training.reconstruction import ReconstructionSuperResolver
from hime.weights.files import load_network, save_weights
from hime.weights.model_card import ModelCard

PUBLIC_FLOW = {
    (0, 0): (-4.08338, 2.75273),
    (3, 450): (-6.08893, 3.02373),
    (20, 36): (-4.00395, 3.06446),
    (39, 519): (-3.35073, 2.17437),
    (31, 8): (-3.69047, 2.64844),
}
"""Flow at (down, right) that pytorch-spynet (sniklaus, 690689d) gives for the weights and the pictures of `public`."""


def public() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Random weights by pytorch-spynet's names, and two pictures."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, parameter in SPyNet().named_parameters():
        _, level, layer, kind = name.split(".")
        noise = torch.randn(parameter.shape, generator=generator)
        scale = (0.3 if layer == "8" else 1.0) * math.sqrt(2 / parameter[0].numel())
        if kind == "bias":
            scale = 0.1
        weights[f"moduleBasic.{level}.moduleBasic.{layer}.{kind}"] = scale * noise
    return weights, torch.rand(2, 3, 40, 520, generator=generator)


def renamed(weights: dict[str, torch.Tensor], layout: str) -> dict:
    """The same weights as others publish them."""
    found = {}
    for name, value in weights.items():
        _, level, _, layer, kind = name.split(".")
        if layout == "BasicSR":
            found[f"basic_module.{level}.basic_module.{layer}.{kind}"] = value
        elif layout == "MMEditing":
            found[f"basic_module.{level}.basic_module.{int(layer) // 2}.conv.{kind}"] = value
        else:
            found[f"netBasic.{level}.netBasic.{layer}.{kind}"] = value
    if layout == "MMEditing":
        return found | {"mean": torch.zeros(1, 3, 1, 1), "std": torch.ones(1, 3, 1, 1)}
    return {"params": found} if layout == "BasicSR" else found


def flow_network() -> HIME:
    return HIME(4, alignment="flow_dcn", channels=8, reconstruction_blocks=1, offset_channels=8, flow_grid="corners")


def test_published_weights_give_the_published_flow(tmp_path) -> None:
    weights, pictures = public()
    torch.save(weights, tmp_path / "network-sintel-final.pytorch")
    network = flow_network()
    begin_flow(network, tmp_path / "network-sintel-final.pytorch")
    with torch.inference_mode():
        flow = network.alignment.flow(pictures[:1], pictures[1:])[0]
    assert flow.abs().mean().item() == pytest.approx(3.86798, abs=1e-3)
    for (down, right), expected in PUBLIC_FLOW.items():
        torch.testing.assert_close(flow[:, down, right], torch.tensor(expected), rtol=0, atol=2e-3)


@pytest.mark.parametrize("layout", ["BasicSR", "MMEditing", "pytorch-spynet in memory"])
def test_other_layouts_of_the_published_weights_are_the_same(tmp_path, layout) -> None:
    weights, _ = public()
    torch.save(weights, tmp_path / "one.pth")
    torch.save(renamed(weights, layout), tmp_path / "other.pth")
    one, other = flow_network(), flow_network()
    begin_flow(one, tmp_path / "one.pth")
    begin_flow(other, tmp_path / "other.pth")
    expected = one.alignment.flow.state_dict()
    assert all(value.equal(expected[name]) for name, value in other.alignment.flow.state_dict().items())


def test_a_recipe_begins_with_the_published_flow(tmp_path) -> None:
    weights, _ = public()
    save_file(weights, tmp_path / "spynet.safetensors")
    module = ReconstructionSuperResolver(flow_network(), flow_weights=str(tmp_path / "spynet.safetensors"))
    own = module.network.get_parameter("alignment.flow.levels.5.8.weight")
    assert own.equal(weights["moduleBasic.5.moduleBasic.8.weight"])


@pytest.mark.parametrize("network", [HIME(4), HIME(4, alignment="flow_dcn")], ids=["without flow", "centres"])
def test_published_weights_want_the_published_network(tmp_path, network: HIME) -> None:
    with pytest.raises(ValueError, match="set its alignment to flow_dcn and its flow_grid to corners, got "):
        begin_flow(network, tmp_path / "absent.pth")


def test_what_holds_no_published_weights_is_refused(tmp_path) -> None:
    weights, _ = public()
    del weights["moduleBasic.0.moduleBasic.0.bias"]
    torch.save(weights, tmp_path / "part.pth")
    with pytest.raises(
        ValueError, match=r"part\.pth holds no published weights of SPyNet: .* 59 tensors have such names"
    ):
        begin_flow(flow_network(), tmp_path / "part.pth")
    with pytest.raises(FileNotFoundError, match="it should hold published weights of SPyNet"):
        begin_flow(flow_network(), Path("absent.pth"))


def test_a_flow_network_of_the_published_kind_begins_as_the_small_one() -> None:
    large = HIME(8, alignment="flow_dcn", flow_grid="corners")
    begin_as(large, "small-x8")
    trained = load_network("small-x8").state_dict()
    assert all(value.equal(trained[name]) for name, value in large.state_dict().items() if name in trained)


def test_a_network_with_flow_begins_as_the_one_without() -> None:
    generator = torch.Generator().manual_seed(0)
    lr, references = torch.rand(1, 3, 16, 16, generator=generator), torch.rand(1, 2, 3, 128, 128, generator=generator)
    small, large = load_network("small-x8"), HIME(8, alignment="flow_dcn").eval()
    flow = large.get_parameter("alignment.flow.levels.0.0.weight").clone()
    begin_as(large, "small-x8")
    torch.testing.assert_close(large.get_parameter("alignment.flow.levels.0.0.weight"), flow, rtol=0, atol=0)
    with torch.inference_mode():
        torch.testing.assert_close(large(lr, references), small(lr, references), rtol=0, atol=1e-5)


def test_the_same_kind_is_taken_over_whole() -> None:
    network = HIME(4)
    assert begin_as(network, "small-x4").startswith("Begun with small-x4: trained on LFW")
    trained = load_network("small-x4").state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "weights"), [(HIME(4, lr_blocks=4), "small-x8"), (HIME(8), "large-x8")], ids=["blocks", "flow"]
)
def test_another_kind_is_refused(network: HIME, weights: str) -> None:
    with pytest.raises(ValueError, match=f"The weights {weights} are of .* make them equal"):
        begin_as(network, weights)


def other_scale(before: int, after: int, tmp_path: Path) -> tuple[HIME, HIME]:
    """A small network with random weights, and one of another magnification that begins as it."""
    torch.manual_seed(0)
    old, new = (HIME(scale, channels=8, reconstruction_blocks=1, offset_channels=8) for scale in (before, after))
    with torch.no_grad():
        for parameter in old.parameters():
            parameter.normal_(std=0.1)
    save_weights(old, tmp_path / "old.safetensors", ModelCard())
    begin_as(new, str(tmp_path / "old.safetensors"))
    return old, new


@torch.no_grad()
def test_weights_of_a_larger_magnification_begin_as_its_means(tmp_path: Path) -> None:
    old, new = other_scale(4, 2, tmp_path)
    features, reference = torch.rand(2, 8, 5, 6), torch.rand(1, 3, 8, 12)
    torch.testing.assert_close(new.reconstructor(features), F.avg_pool2d(old.reconstructor(features), 2))
    enlarged = F.interpolate(reference, scale_factor=2, mode="nearest")
    torch.testing.assert_close(new.hr_extractor(reference), old.hr_extractor(enlarged))
    lr = torch.rand(1, 3, 4, 6)
    torch.testing.assert_close(new.lr_extractor(lr), old.lr_extractor(lr))


@torch.no_grad()
def test_weights_of_a_smaller_magnification_begin_as_its_pixels_repeated(tmp_path: Path) -> None:
    old, new = other_scale(4, 8, tmp_path)
    features, reference = torch.rand(2, 8, 5, 6), torch.rand(1, 3, 16, 24)
    repeated = F.interpolate(old.reconstructor(features), scale_factor=2, mode="nearest")
    torch.testing.assert_close(new.reconstructor(features), repeated)
    torch.testing.assert_close(new.hr_extractor(reference), old.hr_extractor(F.avg_pool2d(reference, 2)))


def test_a_network_without_references_begins_at_another_magnification_too(tmp_path: Path) -> None:
    plain = HIME(4, alignment="none", channels=8, reconstruction_blocks=1)
    save_weights(plain, tmp_path / "plain.safetensors", ModelCard())
    begin_as(HIME(3, alignment="none", channels=8, reconstruction_blocks=1), str(tmp_path / "plain.safetensors"))
    with pytest.raises(ValueError, match="make them equal"):
        begin_as(HIME(3, alignment="none", channels=16, reconstruction_blocks=1), str(tmp_path / "plain.safetensors"))
