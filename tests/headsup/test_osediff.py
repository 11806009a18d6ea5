"""OSEDiff's checkpoints as weights files: the same picture as in OSEDiff's own construction, which peft builds here."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor

from faceops.images.files import Picture, load_picture, save_picture
from faceops.weights import cache, table
from headsup.cli import main
from headsup.losses.objective import LossWeights
from headsup.model.settings import RestorerSettings
from headsup.training.restorer import RestorerTrainer
from headsup.weights.files import load_restorer, read_weights

# of peft, when a network gets its second adapter
pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config`")

WORDS = (
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut"),
)
"""What OSEDiff looks for in the names of weights that get an adapter."""

Content = dict[str, Any]


class Original(NamedTuple):
    """OSEDiff as its own code builds it, trained at random, and the checkpoint that it saves."""

    base: Path
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    content: Content

    def restore(self, picture: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent (the mode of the posterior), predicted noise at t = 999, and the picture, in [0, 1]."""
        factor = self.vae.config.scaling_factor
        z = self.vae.encode(2 * picture - 1).latent_dist.mode() * factor
        noise = self.unet(z, torch.tensor([999]), encoder_hidden_states=prompt).sample
        kept = DDPMScheduler.from_pretrained(self.base, subfolder="scheduler").alphas_cumprod[999]
        clean = (z - (1 - kept) ** 0.5 * noise) / kept**0.5
        return z, noise, self.vae.decode(clean / factor).sample / 2 + 0.5


def write_base(folder: Path, widths: tuple[int, int] = (16, 32)) -> None:
    """A model of the kind of Stable Diffusion, small and random."""
    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=widths,
        layers_per_block=1,
        attention_head_dim=8,
        norm_num_groups=8,
        cross_attention_dim=24,
        use_linear_projection=True,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=8,
        latent_channels=4,
    ).save_pretrained(folder / "vae")
    DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        folder / "scheduler"
    )
    save_file({name: torch.randn(77, 24) for name in ("positive", "negative")}, folder / "prompts.safetensors")


def targets(network: torch.nn.Module, *places: str) -> list[str]:
    """Layers with an adapter: weights that are called so, in these places."""
    names = [name for name, _ in network.named_parameters() if "norm" not in name and "bias" not in name]
    chosen = [name for name in names if any(word in name for word in WORDS)]
    return [name.removesuffix(".weight") for name in chosen if any(place in name for place in places)]


def write_original(base: Path, rank: int = 4) -> Original:
    write_base(base)
    vae = AutoencoderKL.from_pretrained(base, subfolder="vae")
    unet = UNet2DConditionModel.from_pretrained(base, subfolder="unet")
    lists = {
        "unet_lora_encoder_modules": targets(unet, "down_blocks", "conv_in"),
        "unet_lora_decoder_modules": targets(unet, "up_blocks", "conv_out"),
        "unet_lora_others_modules": targets(unet, "mid_block"),
    }
    encoder = targets(vae, "encoder")
    lists["vae_lora_encoder_modules"] = [*encoder, *encoder, "quant_conv"]  # OSEDiff's list names layers twice
    for name, listed in zip(("encoder", "decoder", "others"), list(lists.values())[:3], strict=True):
        config = LoraConfig(r=rank, init_lora_weights="gaussian", target_modules=listed)
        unet.add_adapter(config, adapter_name=f"default_{name}")
    config = LoraConfig(r=rank, init_lora_weights="gaussian", target_modules=lists["vae_lora_encoder_modules"])
    vae.add_adapter(config, adapter_name="default_encoder")
    unet.set_adapter(["default_encoder", "default_decoder", "default_others"])
    with torch.no_grad():
        for network in (unet, vae):
            for name, parameter in network.named_parameters():
                if "lora" in name or ("conv_in" in name and network is unet):
                    parameter.add_(0.02 * torch.randn(parameter.shape))
    content = {
        **lists,
        "rank_unet": rank,
        "rank_vae": rank,
        "state_dict_unet": {n: v for n, v in unet.state_dict().items() if "lora" in n or "conv_in" in n},
        "state_dict_vae": {n: v for n, v in vae.state_dict().items() if "lora" in n},
    }
    return Original(base, vae.eval(), unet.eval(), content)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return write_original(tmp_path_factory.mktemp("base"))


Command = Callable[..., int]


@pytest.fixture
def headsup(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command; the exit status."""

    def run(*words: object) -> int:
        monkeypatch.setattr("sys.argv", ["headsup", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def imported(original: Original, headsup: Command, tmp_path: Path) -> Path:
    torch.save(original.content, tmp_path / "osediff.pkl")
    weights = tmp_path / "osediff.safetensors"
    said = "import", tmp_path / "osediff.pkl", "--output", weights, "--base", original.base, "--card.licence", "free"
    assert headsup(*said) == 0
    return weights


@torch.no_grad()
def test_it_gives_the_picture_of_osediff(original: Original, imported: Path) -> None:
    restorer, settings = load_restorer(imported)
    assert settings == RestorerSettings(str(original.base), rank=4, alpha=8, timestep=999)
    generator = torch.Generator().manual_seed(1)
    picture, prompt = torch.rand(1, 3, 64, 64, generator=generator), torch.randn(1, 77, 24, generator=generator)
    z, noise, expected = original.restore(picture, prompt)
    nothing = torch.zeros(1, 5, *z.shape[2:])
    seen = torch.cat([z, nothing], dim=1)
    torch.testing.assert_close(restorer.encode(picture), z, rtol=0, atol=1e-6)
    torch.testing.assert_close(restorer.predict(seen, torch.tensor([999]), prompt), noise, rtol=0, atol=1e-6)
    # diffusers multiplies the alphas in float32, the schedule here in float64; the step divides by 0.068
    found = restorer(picture, prompt).picture
    assert (found - expected).abs().max() < 2e-6 * expected.abs().max()
    untrained = settings.build().eval()
    assert (untrained(picture, prompt).picture - expected).abs().max() > 0.01  # else the adapters would not matter


def test_every_tensor_is_there_to_the_bit(original: Original, imported: Path) -> None:
    weights = read_weights(imported)
    assert weights.card.licence == "free"
    assert weights.card.notes == "imported from osediff.pkl"
    unet, vae = original.content["state_dict_unet"], original.content["state_dict_vae"]
    assert len(weights.tensors) == len(unet) + len(vae)
    first = weights.tensors["unet.conv_in.own.base_layer.weight"]
    assert first[:, :4].equal(unet["conv_in.base_layer.weight"])
    assert first.shape == (16, 9, 3, 3)
    assert not first[:, 4:].any()
    last = weights.tensors["unet.conv_out.inner.lora_B.generator.weight"]
    assert last.equal(unet["conv_out.lora_B.default_decoder.weight"])


def test_training_starts_from_it(original: Original, imported: Path) -> None:
    settings = RestorerSettings(str(original.base))
    trainer = RestorerTrainer(settings, imported, LossWeights(identity=0.0), perceptual=None, identity=None)
    trainer.configure_model()
    parameters = trainer.loaded_restorer.generator_parameters()
    for name, value in read_weights(imported).tensors.items():
        assert parameters[name].equal(value)
        assert parameters[name].requires_grad


def test_a_photograph_is_restored_with_it(original: Original, imported: Path, headsup: Command, tmp_path: Path) -> None:
    save_picture(Picture(torch.rand(3, 20, 24)), tmp_path / "a.png")
    said = "restore", tmp_path / "a.png", "--output", tmp_path / "b.png", "--weights", imported, "--colour", "adain"
    assert headsup(*said) == 0
    assert load_picture(tmp_path / "b.png").pixels.shape == (3, 80, 96)


def rank_of_the_encoder(content: Content) -> None:
    content["rank_vae"] = 8


def rank_of_all(content: Content) -> None:
    content["rank_unet"] = content["rank_vae"] = 8


def lost_tensor(content: Content) -> None:
    del content["state_dict_unet"]["mid_block.resnets.0.conv1.lora_A.default_others.weight"]


def unknown_tensor(content: Content) -> None:
    content["state_dict_vae"]["decoder.conv_in.lora_A.default_decoder.weight"] = torch.zeros(4, 4, 3, 3)


def lost_fields(content: Content) -> None:
    del content["rank_vae"], content["state_dict_vae"]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lost_fields, "is no checkpoint of OSEDiff: it lacks rank_vae, state_dict_vae."),
        (rank_of_the_encoder, "has adapters of rank 4 in the denoiser and 8 in the encoder"),
        (rank_of_all, "says that its rank is 8, but "),
        (lost_tensor, "lacks 1 of the tensors that OSEDiff saves for the layers it lists, such as mid_block.resnets.0"),
        (unknown_tensor, "has besides 1 of the tensors that OSEDiff saves for the layers it lists, such as decoder"),
    ],
)
def test_other_checkpoints_are_refused(
    original: Original,
    headsup: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Content], None],
    sentence: str,
) -> None:
    content = {name: dict(value) if isinstance(value, dict) else value for name, value in original.content.items()}
    harm(content)
    torch.save(content, tmp_path / "c.pkl")
    assert headsup("import", tmp_path / "c.pkl", "--output", tmp_path / "w.safetensors", "--base", original.base) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "w.safetensors").exists()


class Executed:
    """Would leave a file behind if its pickle were executed."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("what", ["code", "text", "list"])
def test_other_files_are_refused(
    headsup: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    file, trace = tmp_path / "c.pkl", tmp_path / "trace"
    if what == "code":
        file.write_bytes(pickle.dumps(Executed(trace)))
    elif what == "text":
        file.write_text("not a checkpoint")
    else:
        torch.save([1, 2], file)
    assert headsup("import", file, "--output", tmp_path / "w.safetensors") == 2
    sentence = "is no checkpoint of OSEDiff: it lacks rank_unet" if what == "list" else "cannot be read safely"
    assert sentence in capsys.readouterr().err
    assert not trace.exists()


def test_another_base_is_refused(
    original: Original, headsup: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(original.content, tmp_path / "c.pkl")
    write_base(tmp_path / "wider", (16, 48))
    for base in (tmp_path / "wider", "random:tiny"):
        assert headsup("import", tmp_path / "c.pkl", "--output", tmp_path / "w.safetensors", "--base", base) == 2
        error = capsys.readouterr().err
        assert f"does not fit the base model {base}" in error
        assert "name that with --base" in error
    (tmp_path / "empty").mkdir()
    said = "import", tmp_path / "c.pkl", "--output", tmp_path / "w.safetensors", "--base", tmp_path / "empty"
    assert headsup(*said) == 2
    assert "is not a diffusion model in diffusers' layout" in capsys.readouterr().err


def test_the_published_names_are_fetched(
    original: Original,
    headsup: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As if somebody had fetched the file; its checksum is that of the test."""
    torch.save(original.content, tmp_path / "osediff.pkl")
    entries = tuple(
        replace(entry, git_blob=cache.git_blob(tmp_path / "osediff.pkl")) if entry.name == "osediff" else entry
        for entry in table.WEIGHTS
    )
    monkeypatch.setattr(cache, "WEIGHTS", entries)
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path))
    weights = tmp_path / "w.safetensors"
    assert headsup("import", "osediff", "--output", weights, "--base", original.base) == 0
    assert read_weights(weights).card.licence.startswith("Apache-2.0")
    capsys.readouterr()
    assert headsup("weights", "fetch", "osediff") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'osediff.pkl'}\n"


@pytest.mark.parametrize("argv", [["fetch"], ["list", "osediff"]])
def test_fetching_is_by_name(argv: list[str], headsup: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert headsup("weights", *argv) == 2
    assert "headsup weights fetch osediff" in capsys.readouterr().err
