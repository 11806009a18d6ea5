"""Weights files: what is written is what is read, and nothing else is."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from faceops.weights.header import read_metadata
from headsup.model.backbone import description, load_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.settings import RestorerSettings
from headsup.weights.diffusers_folder import save_part, save_scheduler
from headsup.weights.export import export_checkpoint
from headsup.weights.files import apply_weights, load_restorer, read_weights, save_weights
from headsup.weights.model_card import ModelCard

SETTINGS = RestorerSettings("random:tiny", layout="placed")
CARD = ModelCard(training_data="drawings", steps=7, metrics={"psnr": 20.5})


def disturb(restorer: OneStepRestorer) -> OneStepRestorer:
    generator = torch.Generator().manual_seed(1)
    for parameter in restorer.generator_parameters().values():
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return restorer


@pytest.fixture(scope="module")
def restorer() -> OneStepRestorer:
    return disturb(SETTINGS.build())


@pytest.fixture
def file(restorer, tmp_path):
    path = tmp_path / "restorer.safetensors"
    save_weights(restorer.generator_parameters(), SETTINGS, path, CARD)
    return path


def test_a_round_trip_keeps_weights_to_the_bit_and_pictures_but_for_rounding(restorer, file):
    loaded, settings = load_restorer(file)
    assert settings == SETTINGS
    assert read_weights(file).card == CARD
    assert not loaded.training
    expected = restorer.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(value.equal(expected[name]) for name, value in loaded.state_dict().items())
    generator = torch.Generator().manual_seed(0)
    lq, prompt = torch.rand(1, 3, 32, 32, generator=generator), torch.randn(1, 7, 64, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(loaded(lq, prompt)[0], restorer(lq, prompt)[0], rtol=0, atol=1e-4)


def test_only_what_the_generator_has_learnt_is_in_it(restorer, file):
    weights = read_weights(file)
    assert weights.tensors.keys() == restorer.generator_parameters().keys()
    assert not any("regularizer" in name for name in weights.tensors)
    size = sum(p.numel() for p in restorer.generator_parameters().values())
    assert file.stat().st_size == pytest.approx(4 * size, rel=0.2)


def test_half_the_size_is_float32_again_when_loaded(restorer, file, tmp_path):
    half = tmp_path / "half.safetensors"
    save_weights(restorer.generator_parameters(), SETTINGS, half, CARD, half=True)
    assert half.stat().st_size < 0.6 * file.stat().st_size
    assert {tensor.dtype for tensor in read_weights(half).tensors.values()} == {torch.float16}
    loaded = load_restorer(half)[0].generator_parameters()
    for name, parameter in restorer.generator_parameters().items():
        assert loaded[name].dtype == torch.float32
        assert loaded[name].equal(parameter.half().float())


def test_a_copy_of_the_base_model_may_lie_elsewhere(restorer, file, tmp_path):
    fresh = SETTINGS.build()
    base = load_backbone("random:tiny")
    for part, network in (("unet", base.unet), ("vae", base.vae)):
        save_part(network, tmp_path / "base", part)
    save_scheduler(tmp_path / "base", description("tiny", "scheduler"))
    loaded, settings = load_restorer(file, base=str(tmp_path / "base"))
    assert settings.base == str(tmp_path / "base")
    assert settings.layout == "placed"
    assert loaded.generator_parameters().keys() == fresh.generator_parameters().keys()


@pytest.mark.parametrize("changes", [{"rank": 8}, {"alpha": 4}, {"timestep": 500}, {"layout": "whole"}])
def test_weights_of_other_settings_are_refused(restorer, file, changes):
    (name, value) = next(iter(changes.items()))
    settings = RestorerSettings(**{**vars(SETTINGS), **changes})
    with pytest.raises(ValueError, match=rf"were trained with the {name} \S+, the restorer has {value}: make them"):
        apply_weights(restorer, read_weights(file), settings)


def test_weights_of_another_base_model_are_refused(restorer, tmp_path):
    values = dict(restorer.generator_parameters())
    name = "unet.conv_in.own.base_layer.weight"
    for case, changed in (("shape", {**values, name: torch.zeros(320, 9, 3, 3)}), ("name", {"x": torch.zeros(1)})):
        path = tmp_path / f"{case}.safetensors"
        save_weights(changed, SETTINGS, path, CARD)
        with pytest.raises(ValueError, match="are for the base model random:tiny and do not fit random:tiny"):
            apply_weights(restorer, read_weights(path), SETTINGS)


def test_what_float16_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x reaches 7e\+04, more than float16 holds"):
        save_weights({"x": torch.tensor([7e4])}, SETTINGS, tmp_path / "x.safetensors", CARD, half=True)
    assert not list(tmp_path.iterdir())


def test_useless_weights_are_not_written(restorer, tmp_path):
    values = {**restorer.generator_parameters(), "unet.conv_in.own.base_layer.bias": torch.tensor([float("nan")])}
    with pytest.raises(ValueError, match=r"own\.base_layer\.bias holds values that are not finite"):
        save_weights(values, SETTINGS, tmp_path / "x.safetensors", CARD)
    assert not list(tmp_path.iterdir())


def test_useless_weights_are_not_read(file):
    tensors, metadata = load_file(file), read_metadata(file)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[-1] = float("inf")
    save_file(tensors, file, metadata)
    with pytest.raises(ValueError, match=rf"restorer\.safetensors holds weights that are not finite, in {name}:"):
        read_weights(file)


def test_a_useless_base_is_not_read(tmp_path):
    base = load_backbone("random:tiny")
    base.vae.decoder.conv_out.bias.data[0] = float("nan")
    save_part(base.vae, tmp_path, "vae")
    save_part(base.unet, tmp_path, "unet")
    save_scheduler(tmp_path, description("tiny", "scheduler"))
    with pytest.raises(ValueError, match=r"holds weights that are not finite, in decoder\.conv_out\.bias"):
        load_backbone(str(tmp_path))


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_damaged_files_are_refused(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match="is not a safetensors file, or a damaged one"):
        read_weights(file)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({}, "holds no weights of HeadsUp: its header names no architecture"),
        ({"architecture": "hime"}, 'its header names the architecture "hime"'),
        ({"architecture": "headsup"}, r"header of \S+ cannot be read"),
        ({"architecture": "headsup", "settings": "{", "card": "{}"}, r"header of \S+ cannot be read"),
        ({"architecture": "headsup", "settings": "[]", "card": "{}"}, r"header of \S+ cannot be read"),
    ],
)
def test_foreign_files_are_refused(tmp_path, header, sentence):
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, path, header)
    with pytest.raises(ValueError, match=sentence):
        read_weights(path)


def test_fields_of_a_later_version_are_left_out(tmp_path):
    path = tmp_path / "later.safetensors"
    settings = json.dumps({**vars(SETTINGS), "colour": "blue"})
    save_file({"x": torch.zeros(1)}, path, {"architecture": "headsup", "settings": settings, "card": "{}"})
    assert read_weights(path).settings == SETTINGS


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("run.ckpt", ValueError, "is a training checkpoint; export it first"),
        ("absent.safetensors", FileNotFoundError, "There is no weights file absent.safetensors"),
        ("enormous", ValueError, 'No weights are called "enormous"'),
    ],
)
def test_names_of_nothing_are_refused(name, error, sentence):
    with pytest.raises(error, match=sentence):
        read_weights(name)


def test_a_checkpoint_of_a_newer_version_is_refused_in_a_sentence(tmp_path):
    checkpoint = tmp_path / "newer.ckpt"
    torch.save(
        {"headsup": {"settings": {"base": "tiny", "invented_later": 3}, "steps": 1}, "state_dict": {}}, checkpoint
    )
    with pytest.raises(ValueError, match="newer headsup: this one does not know its settings invented_later"):
        export_checkpoint(checkpoint, tmp_path / "w.safetensors", ModelCard())
    assert not (tmp_path / "w.safetensors").exists()
