"""`hime fit | validate | test | predict`, from the command line to weights that upscale."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml

from hime.cli import main

CONFIGS = Path(__file__).parents[2] / "lightning_configs" / "hime"
DOCUMENT = Path(__file__).parents[2] / "docs" / "training.md"
COMMANDS = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("hime fit -c $C/")]
RECONSTRUCTION = str(CONFIGS / "reconstruction.yaml")
TINY = [
    *("--model.init_args.network.init_args.channels", "8"),
    *("--model.init_args.network.init_args.reconstruction_blocks", "1"),
    *("--model.init_args.network.init_args.offset_channels", "8"),
    *("--data.init_args.people", "4"),
    *("--data.init_args.portraits", "4"),
    *("--data.init_args.size", "64"),
]

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def hime(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    """Run the console script in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["hime", *argv])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_there_is_a_command_for_every_experiment() -> None:
    assert len(set(COMMANDS)) == 43
    named = {word.removeprefix("$C/") for command in COMMANDS for word in shlex.split(command)}
    files = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")}
    assert files - named == {"smoke.yaml", "miniature.yaml"}
    for path in CONFIGS.rglob("*.yaml"):
        assert path.read_text().startswith("# ")


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_documented_command_parses_and_mixes_copies_in_only_where_it_says_so(
    command, monkeypatch, capsys
) -> None:
    argv = shlex.split(command.replace("$C", str(CONFIGS)))[1:]
    ended = hime(monkeypatch, *argv, "--print_config")
    told = capsys.readouterr()
    assert ended == 0, told.err
    assert "Unable to serialize" not in told.out
    data = yaml.safe_load(told.out)["data"]["init_args"]
    said = "self_exemplars.yaml" in command or "/lfw/" in command
    assert (data["self_exemplars"] is not None) == said
    if not said:
        counts = {"references_0": 0, "references_1": 1}
        assert data["references"] == next((n for name, n in counts.items() if name in command), 3)
        assert (data["reference_counts"], data["blank"]) == (None, 0.0)


def test_what_is_laid_over_a_file_is_laid_over_one_another(monkeypatch, capsys) -> None:
    """HIME_P (large) at (64, 4): what is common, what each of three files says of it, and the command line."""
    deltas = [word for name in ("perception", "large", "64x4") for word in ("-c", str(CONFIGS / f"{name}.yaml"))]
    assert hime(monkeypatch, "fit", "-c", RECONSTRUCTION, *deltas, "--print_config") == 0
    config = yaml.safe_load(capsys.readouterr().out)
    model, data, trainer = config["model"], config["data"]["init_args"], config["trainer"]
    assert model["class_path"] == "hime.training.perception.PerceptionSuperResolver"
    network = model["init_args"]["network"]["init_args"]
    assert (network["scale"], network["alignment"], data["scale"], data["size"]) == (4, "flow_dcn", 4, 256)
    assert (trainer["devices"], trainer["max_steps"], trainer["gradient_clip_val"]) == (8, 50_000, None)


@pytest.mark.parametrize("delta", sorted((CONFIGS / "ablations").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ablation_can_be_made_a_miniature(delta, monkeypatch, capsys) -> None:
    files = (RECONSTRUCTION, str(delta), str(CONFIGS / "miniature.yaml"))
    argv = [word for path in files for word in ("-c", path)]
    assert hime(monkeypatch, "fit", *argv, "--print_config") == 0
    printed = capsys.readouterr().out
    assert "max_steps: 400" in printed
    assert "accelerator: cpu" in printed
    assert "index: data/lfw.parquet" in printed


@pytest.mark.parametrize("deltas", [(), ("lfw/perception", "32x4"), ("lfw/large",)], ids=str)
def test_the_runs_on_lfw_can_be_made_for_a_gpu(deltas, monkeypatch, capsys) -> None:
    files = [str(CONFIGS / f"{name}.yaml") for name in ("lfw/reconstruction", *deltas, "lfw/gpu")]
    assert hime(monkeypatch, "fit", *(word for path in files for word in ("-c", path)), "--print_config") == 0
    printed = capsys.readouterr().out
    for said in ("accelerator: gpu", "precision: 32-true", "batch_size: 64", "ramp: 200000", "crop: 128"):
        assert said in printed


@pytest.mark.parametrize("deltas", [(), ("-c", str(CONFIGS / "perception.yaml"))], ids=["rec", "perceptual"])
def test_what_a_run_saves_as_its_config_can_be_run_again(deltas, tmp_path, monkeypatch, capsys) -> None:
    assert hime(monkeypatch, "fit", "-c", RECONSTRUCTION, *deltas, "--print_config") == 0
    first = capsys.readouterr().out
    (tmp_path / "config.yaml").write_text(first)
    assert hime(monkeypatch, "fit", "-c", str(tmp_path / "config.yaml"), "--print_config") == 0
    assert capsys.readouterr().out == first


def test_what_a_constructor_misses_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    files = ("-c", RECONSTRUCTION, "-c", str(CONFIGS / "perception.yaml"))
    assert hime(monkeypatch, "fit", *files, "--model.init_args.initial_weights", "null") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("hime: The perceptual backbone ")
    assert message.endswith("or turn the term off with null.")


def test_a_misspelt_key_is_named(monkeypatch, capsys) -> None:
    assert hime(monkeypatch, "fit", "-c", str(CONFIGS / "smoke.yaml"), "--model.init_args.windwo", "3") == 2
    message = capsys.readouterr().err
    assert "windwo" in message
    assert len(message.splitlines()) < 15


def test_a_missing_index_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ("--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.strategy", "auto")
    logger = ("--trainer.logger", "false", "--trainer.callbacks", "[]", "--trainer.precision", "32-true")
    assert hime(monkeypatch, "fit", "-c", RECONSTRUCTION, *overrides, *logger) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "celebamask-hq.parquet" in message
    assert "Traceback" not in message


def test_fit_resume_test_predict_export_upscale(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    smoke = str(CONFIGS / "smoke.yaml")
    quiet = ("--trainer.enable_progress_bar", "false", "--trainer.val_check_interval", "2")
    often = ("--checkpoint.every_n_train_steps", "2")
    common = (*TINY, *quiet, *often)
    assert hime(monkeypatch, "fit", "-c", smoke, *common, "--trainer.max_steps", "3") == 0
    run = tmp_path / "runs" / "smoke" / "version_0"
    last = run / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 3  # the last step, between two checkpoints
    assert list(run.glob("events.*"))

    resumed = ("--trainer.max_steps", "6", "--ckpt_path", str(last), "--model.init_args.cor_weight", "0.5")
    assert hime(monkeypatch, "fit", "-c", smoke, *common, *resumed) == 0
    config = tmp_path / "runs" / "smoke" / "version_1" / "config.yaml"
    assert "cor_weight: 0.5" in config.read_text()  # the command line decides, not the checkpoint
    newest = config.parent / "checkpoints" / "last.ckpt"
    assert torch.load(newest, weights_only=True)["global_step"] == 6

    for command in ("validate", "test", "predict"):
        assert hime(monkeypatch, command, "-c", str(config), "--ckpt_path", str(newest)) == 0
    written = sorted(p.name for p in (tmp_path / "outputs" / "predictions").rglob("*.png"))
    assert written == [f"{i}-64.png" for i in range(4)]

    weights = tmp_path / "tiny.safetensors"
    assert hime(monkeypatch, "export", str(newest), "--output", str(weights)) == 0
    photos = sorted((tmp_path / "outputs" / "synthetic" / "person003").glob("*.png"))
    sr = tmp_path / "sr.png"
    capsys.readouterr()
    assert hime(monkeypatch, "profile", "--weights", str(weights), "--lr-size", "8", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scale"] == 8
    command = ("upscale", str(photos[0]), "--exemplars", *map(str, photos[1:]), "--weights", str(weights))
    assert hime(monkeypatch, *command, "--output", str(sr)) == 0
    assert sr.is_file()
