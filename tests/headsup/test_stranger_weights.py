"""Weights files of strangers: what they say of themselves is checked before anything is built or fetched."""

import json
import signal
import socket
import sys
import time
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from headsup.cli import main
from headsup.model.backbone import MIRROR, MissingBackboneError, description, load_backbone, place_of
from headsup.model.settings import RestorerSettings
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.diffusers_folder import save_embeddings, save_part, save_scheduler
from headsup.weights.files import load_restorer, read_header, save_weights
from headsup.weights.model_card import ModelCard

BASE = "nobody/a-model-of-a-stranger"


def write(path: Path, settings: object = "{}", card: str = "{}") -> Path:
    """Write a weights file with a header of any content."""
    text = settings if isinstance(settings, str) else json.dumps(settings)
    save_file({"x": torch.zeros(1)}, path, {"architecture": "headsup", "settings": text, "card": card})
    return path


@pytest.mark.parametrize(
    ("settings", "card", "sentence"),
    [
        ("[" * 5000 + "]" * 5000, "{}", "it is nested too deep"),
        ('{"rank":' * 5000 + "1" + "}" * 5000, "{}", "it is nested too deep"),
        ({"rank": None}, "{}", "rank must be a whole number, got None"),
        ({"rank": "4"}, "{}", "rank must be a whole number, got '4'"),
        ({"rank": True}, "{}", "rank must be a whole number, got True"),
        ({"rank": 1e6}, "{}", "rank must be a whole number, got 1000000.0"),
        ({"rank": 1_000_000}, "{}", "rank must be from 1 to 1024, got 1000000"),
        ({"timestep": 10**400}, "{}", "timestep must be a whole number, got a number beyond all counts"),
        ({"timestep": -1}, "{}", "timestep must be from 0 to 999, got -1"),
        ({"guidance": 10**9}, "{}", "guidance must be from 0 to 1024, got 1000000000"),
        ({"layout": "sideways"}, "{}", "layout must be placed or whole, got 'sideways'"),
        ({"layout": ["placed"]}, "{}", r"layout must be placed or whole, got \['placed'\]"),
        ({"trained": "x" * 10_000}, "{}", r"trained must be adapters or all, got 'x{39}\)"),
        ({"base": None}, "{}", "base must be a text, got None"),
        ({}, '{"steps": "many"}', "steps must be a whole number or null, got 'many'"),
        ({}, '{"metrics": {"psnr": "high"}}', "metrics must be a number for each name, got"),
        ({}, '{"notes": 3}', "notes must be a text, got 3"),
    ],
)
def test_a_header_that_does_not_fit_is_one_sentence(tmp_path: Path, settings, card, sentence) -> None:
    path = write(tmp_path / "stranger.safetensors", settings, card)
    begin = time.process_time()
    with pytest.raises(
        ValueError, match=rf"^The header of \S+stranger\.safetensors cannot be read \({sentence}"
    ) as caught:
        read_header(path)
    assert time.process_time() - begin < 5  # building takes minutes
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.fixture
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: object, **__: object) -> None:
        pytest.fail("A network was built.")

    monkeypatch.setattr(RestorerSettings, "build", build)


@pytest.mark.usefixtures("_nothing_is_built")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"base": "random:tiny", "trained": "all", "guidance": 1024, "guidance_blocks": 200},
            "those of another branch",
        ),
        ({"base": "random:tiny", "rank": 1024}, r"adapters in it have the ranks \[\]"),
    ],
)
def test_sizes_that_the_tensors_have_not_are_refused_before_anything_is_built(tmp_path, settings, sentence) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match=sentence):
        load_restorer(write(tmp_path / "stranger.safetensors", settings))
    assert time.process_time() - begin < 5  # building takes minutes


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """Connections that are asked for and not made; the cache of the hub is an empty folder."""
    asked: list[object] = []

    resolve = socket.getaddrinfo

    def refuse(host: str, *others: object, **named: object) -> object:
        if host == "127.0.0.1":
            return resolve(host, *others, **named)
        asked.append(host)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return asked


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    built = RestorerSettings("random:tiny", rank=2).build()
    return {name: parameter.data for name, parameter in built.generator_parameters().items()}


@pytest.fixture
def stranger(tmp_path: Path, tensors) -> Path:
    """Weights whose base is somewhere on the hub."""
    path = tmp_path / "stranger.safetensors"
    save_weights(tensors, RestorerSettings(BASE, rank=2), path, ModelCard())
    return path


def test_what_a_file_says_starts_no_download(stranger: Path, calls: list[object]) -> None:
    with pytest.raises(MissingBackboneError, match=f"no download starts .*: --base {BASE} allows it"):
        PhotoRestorer.load(stranger)
    assert calls == []
    with pytest.raises(MissingBackboneError, match="could not be fetched from the Hugging Face hub"):
        PhotoRestorer.load(stranger, base=BASE)
    assert calls != []


@pytest.mark.parametrize("command", ["restore", "serve", "merge"])
def test_commands_say_which_option_allows_it(stranger, calls, command, tmp_path, monkeypatch, capsys) -> None:
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "a.png")
    words = {
        "restore": [str(tmp_path / "a.png"), "--output", str(tmp_path / "b.png"), "--weights", str(stranger)],
        "serve": ["--port", "0", "--weights", str(stranger)],
        "merge": [str(stranger), "--output", str(tmp_path / "merged")],
    }
    monkeypatch.setattr(sys, "argv", ["headsup", command, *words[command]])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert f"--base {BASE} allows it" in capsys.readouterr().err
    assert calls == []
    assert not (tmp_path / "b.png").exists()
    assert not (tmp_path / "merged").exists()


def test_a_base_that_is_on_this_machine_is_used(stranger: Path, calls: list[object], tmp_path: Path) -> None:
    cached = tmp_path / "hub" / f"models--{BASE.replace('/', '--')}"
    folder = cached / "snapshots" / "0"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0")
    base = load_backbone("random:tiny")
    save_part(base.vae, folder, "vae")
    save_part(base.unet, folder, "unet")
    save_scheduler(folder, description("tiny", "scheduler"))
    width = base.unet.config.cross_attention_dim
    save_embeddings(torch.zeros(1, width), torch.zeros(1, width), folder)
    loaded = PhotoRestorer.load(stranger)
    assert loaded.restorer.source == BASE
    assert loaded.prompts.negative().shape == (1, 1, width)
    assert calls == []


def test_the_mirror_of_stable_diffusion_needs_no_word() -> None:
    assert place_of(MIRROR, fetch=False) == MIRROR
    with pytest.raises(MissingBackboneError, match="--base someone/model allows it"):
        place_of("someone/model", fetch=False)
