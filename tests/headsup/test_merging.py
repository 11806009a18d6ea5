"""Adapters merged into the weights."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file

from headsup.command_options import MergeOptions
from headsup.model.autoencoder import decode, encode
from headsup.model.reference_attention import References
from headsup.model.schedule import NoiseSchedule
from headsup.model.settings import RestorerSettings
from headsup.weights.files import save_weights
from headsup.weights.merging import merge_adapters, merge_weights
from headsup.weights.model_card import ModelCard

SETTINGS = RestorerSettings(base="random:tiny", timestep=249)


@pytest.fixture
def trained():
    """A restorer whose adapters and first convolution do something."""
    restorer = SETTINGS.build()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in restorer.generator_parameters().values():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=random))
    return restorer


@pytest.fixture
def inputs():
    random = torch.Generator().manual_seed(2)
    image, reference = torch.rand(2, 1, 3, 64, 64, generator=random)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:6, 2:6] = 1
    one = torch.zeros(1, dtype=torch.long)
    references = References(reference, one, one, torch.eye(3)[None, :2], mask)
    return image, torch.randn(1, 4, 64, generator=random), references, "whole"


def test_a_merged_restorer_gives_the_same_picture(trained, inputs) -> None:
    with torch.no_grad():
        before = trained(*inputs).picture
        merge_adapters(trained)
        after = trained(*inputs).picture
    assert (after - before).abs().max() < 1e-4 * before.abs().max()
    assert not [name for name, _ in trained.named_modules() if "lora" in name]


def test_half_precision_is_not_merged(trained) -> None:
    trained.unet.to(torch.bfloat16)
    with pytest.raises(ValueError, match="merged in float32"):
        merge_adapters(trained)


def test_other_software_loads_what_is_written_and_gives_the_same_picture(trained, inputs, tmp_path, capsys) -> None:
    weights, folder = tmp_path / "w.safetensors", tmp_path / "merged"
    tensors = {name: parameter.data for name, parameter in trained.generator_parameters().items()}
    save_weights(tensors, SETTINGS, weights, ModelCard())
    options = MergeOptions(str(weights), output=folder, prompt="a man in a suit")
    merge_weights(options)
    assert "has no text encoder, so the prompt is of no use." in capsys.readouterr().err
    image, _, references, layout = inputs
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    schedule = NoiseSchedule.from_config(json.loads((folder / "scheduler" / "scheduler_config.json").read_text()))
    prompt = load_file(folder / "prompts" / "diffusion_pytorch_model.safetensors")["positive"].unsqueeze(0)
    t = torch.tensor([json.loads((folder / "headsup.json").read_text())["timestep"]])
    with torch.no_grad():
        z_l, z_r = encode(vae, image), encode(vae, references.faces)
        z = schedule.clean(z_l, unet(torch.cat([z_l, z_r, references.mask], dim=1), t, prompt).sample, t)
        ours = trained(image, prompt, references, layout).picture
    assert (decode(vae, z) - ours).abs().max() < 1e-4 * ours.abs().max()
    with pytest.raises(FileExistsError, match="exists already"):
        merge_weights(options)
