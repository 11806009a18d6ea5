"""Weights files, model cards and the names of shipped weights."""

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from faceops.weights.model_card import known_fields
from hime.network import HIME, HimeArguments
from hime.weights.files import load_network, network_from, save_weights
from hime.weights.model_card import ModelCard, read_header
from hime.weights.shipped import choose_weights, find_weights, shipped_weights

CARD = ModelCard(
    training_data="LFW, 600 people",
    licence="Apache-2.0",
    lr_size=16,
    steps=500,
    objective="Charbonnier",
    metrics={"psnr": 25.5},
    notes="small",
)


@pytest.fixture
def network() -> HIME:
    torch.manual_seed(0)
    network = HIME(
        4,
        alignment="flow_dcn",
        channels=8,
        hr_blocks=1,
        lr_blocks=2,
        reconstruction_blocks=1,
        offset_channels=8,
        offset_layers=1,
        offset_groups=4,
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


def test_files_of_before_the_grid_of_the_flow_still_load(network: HIME) -> None:
    arguments = network.arguments._asdict()
    assert arguments.pop("flow_grid") == "centres"
    assert network_from(arguments, network.state_dict(), "x").arguments == network.arguments
    corners = arguments | {"flow_grid": "corners"}
    assert network_from(corners, network.state_dict(), "x").alignment.flow.grid == "corners"


def test_arguments_rebuild_the_network(network: HIME) -> None:
    assert network.arguments == HimeArguments(4, "flow_dcn", "cofa", 8, 1, 2, 1, 8, 1, 4)
    HIME(*network.arguments).load_state_dict(network.state_dict())


def test_saved_weights_load_bit_for_bit(network: HIME, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, CARD)
    loaded = load_network(path)
    assert loaded.arguments == network.arguments
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert read_header(path).card == CARD
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_half_is_half_the_size_and_float32_in_memory(network: HIME, tmp_path: Path) -> None:
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_weights(network, full, CARD)
    save_weights(network.to(memory_format=torch.channels_last), half, CARD, half=True)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    assert {tensor.dtype for tensor in load_file(half).values()} == {torch.float16}
    loaded = load_network(str(half))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    lr = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(loaded(lr), network(lr), atol=2e-3, rtol=0)


def test_header_is_text_anyone_can_read(network: HIME, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, CARD)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert header["architecture"] == "hime"
    assert json.loads(header["arguments"])["alignment"] == "flow_dcn"
    assert json.loads(header["card"])["licence"] == "Apache-2.0"


def test_file_is_as_readable_as_others(network: HIME, tmp_path: Path) -> None:
    save_weights(network, tmp_path / "net.safetensors", CARD)
    (tmp_path / "other").touch()
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("net.safetensors", "other")}
    assert len(modes) == 1


def test_float16_overflow_is_refused_and_leaves_the_old_file(network: HIME, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_text("old")
    network.lr_extractor.conv.weight.data[0, 0, 0, 0] = 7e4
    with pytest.raises(ValueError, match=r"lr_extractor\.conv\.weight reaches 7e\+04, more than float16 holds"):
        save_weights(network, path, CARD, half=True)
    network.lr_extractor.conv.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        save_weights(network, path, CARD)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_unknown_name_lists_the_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hime.weights.shipped.FOLDER", tmp_path)
    with pytest.raises(ValueError, match='No weights are called "small-x9"; the shipped ones are: none'):
        load_network("small-x9")
    (tmp_path / "small-x4.safetensors").touch()
    assert shipped_weights() == ["small-x4"]
    assert find_weights("small-x4") == tmp_path / "small-x4.safetensors"
    with pytest.raises(ValueError, match="the shipped ones are: small-x4"):
        find_weights("large")


def test_choose_weights() -> None:
    assert choose_weights(None, 8, True) == "small-x8-perceptual"
    assert choose_weights("a.safetensors", None, False) == "a.safetensors"
    assert choose_weights(None, 2, False) == "free-x2"
    with pytest.raises(ValueError, match="Perceptual weights are for --scale 4 and 8"):
        choose_weights(None, 2, True)
    for scale, perceptual in ((4, False), (None, True)):
        with pytest.raises(ValueError, match="not both"):
            choose_weights("a.safetensors", scale, perceptual)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no weights file .*missing\.safetensors"):
        load_network(tmp_path / "missing.safetensors")
    with pytest.raises(ValueError, match=r"export it first with `hime export a/last\.ckpt"):
        load_network("a/last.ckpt")
    with pytest.raises(ValueError, match="is a folder"):
        load_network(tmp_path)
    text = tmp_path / "text.safetensors"
    text.write_text("these are no weights at all")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        load_network(text)
    text.write_bytes(b"")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        load_network(text)


def test_other_architectures_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="names no architecture"):
        load_network(path)
    save_file({"a": torch.zeros(1)}, path, {"architecture": "edsr"})
    with pytest.raises(ValueError, match='names the architecture "edsr"'):
        load_network(path)
    save_file({"a": torch.zeros(1)}, path, {"architecture": "hime", "arguments": "{"})
    with pytest.raises(ValueError, match=r"header of .* cannot be read"):
        load_network(path)


def test_truncated_file_is_refused(network: HIME, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_weights(network, path, CARD)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a safetensors file, or a damaged one"):
        load_network(path)


def test_weights_that_are_not_finite_are_refused(network: HIME, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    save_weights(network, path, CARD)
    with safe_open(path, "pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    name = sorted(tensors)[3]
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, path, header)
    with pytest.raises(ValueError, match=rf"broken\.safetensors holds weights that are not finite, in {name}:"):
        load_network(path)


def test_weights_that_do_not_fit_are_named(network: HIME) -> None:
    arguments, tensors = network.arguments._asdict(), network.state_dict()
    wrong = dict(tensors)
    wrong["aggregation.g1.bias"] = torch.zeros(9)
    with pytest.raises(ValueError, match=r"aggregation\.g1\.bias in x must be \(8,\) .* got \(9,\)"):
        network_from(arguments, wrong, "x")
    with pytest.raises(ValueError, match=r"x lacks weights for its own arguments: .* and \d+ more"):
        network_from(arguments, {}, "x")
    with pytest.raises(ValueError, match="x has unknown weights for its own arguments: extra"):
        network_from(arguments, tensors | {"extra": torch.zeros(1)}, "x")
    for name, value in (("alignment", "warp"), ("scale", "4"), ("channels", 0), ("channels", True)):
        with pytest.raises(ValueError, match=f"{name} in x must be"):
            network_from(arguments | {name: value}, tensors, "x")
    with pytest.raises(ValueError, match="must name these arguments of HIME"):
        network_from({"scale": 4}, tensors, "x")


def test_cards_of_later_versions_are_read() -> None:
    assert known_fields(ModelCard, {"licence": "MIT", "invented later": 1}) == ModelCard(licence="MIT")
    with pytest.raises(ValueError, match="mapping"):
        known_fields(ModelCard, 3)


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights(name: str) -> None:
    network = load_network(name)
    header = read_header(find_weights(name))
    assert header.card.lr_size is not None
    assert "not stated" not in (header.card.licence, header.card.training_data)
    assert network.scale == int(name.split("-")[1][1:])
    lr, side = torch.rand(1, 3, 8, 8), 8 * network.scale
    with torch.inference_mode():
        assert network(lr, torch.rand(1, 2, 3, side, side)).isfinite().all()
