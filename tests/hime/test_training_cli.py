"""`hime fit | validate | test | predict`, from the command line to weights that upscale."""

import json
import sys
from pathlib import Path

import pytest
import torch

from hime.cli import main

CONFIGS = Path(__file__).parents[2] / "lightning_configs" / "hime"
MINIATURE = CONFIGS / "miniature.yaml"
RUNS = sorted(p for p in CONFIGS.rglob("*.yaml") if "model:" in p.read_text() and p != MINIATURE)
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


def test_there_is_a_config_for_every_experiment() -> None:
    assert len(RUNS) >= 35
    for table, count in (("table1", 12), ("table2", 3), ("table3", 3), ("table4", 3), ("table6", 4), ("figure8", 10)):
        assert len(list((CONFIGS / table).glob("*.yaml"))) == count


@pytest.mark.parametrize("config", RUNS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_config_parses(config, monkeypatch, capsys) -> None:
    assert hime(monkeypatch, "fit", "-c", str(config), "--print_config") == 0, capsys.readouterr().err
    assert "Unable to serialize" not in capsys.readouterr().out
    assert config.read_text().startswith("# ")


@pytest.mark.parametrize("table", ["table2", "table3", "table4", "table6", "figure8"])
def test_every_ablation_can_be_made_a_miniature(table, monkeypatch, capsys) -> None:
    experiments = sorted((CONFIGS / table).glob("*.yaml"))
    for config in (experiments[0], experiments[-1]):
        assert hime(monkeypatch, "fit", "-c", str(config), "-c", str(MINIATURE), "--print_config") == 0
        printed = capsys.readouterr().out
        assert "max_steps: 400" in printed
        assert "accelerator: cpu" in printed
        assert "index: data/lfw.parquet" in printed


@pytest.mark.parametrize("run", ["small_16x8_rec", "small_32x4_perceptual", "large_16x8_rec"])
def test_the_runs_on_lfw_can_be_made_for_a_gpu(run, monkeypatch, capsys) -> None:
    files = [str(CONFIGS / "lfw" / f"{name}.yaml") for name in (run, "gpu")]
    assert hime(monkeypatch, "fit", "-c", files[0], "-c", files[1], "--print_config") == 0
    printed = capsys.readouterr().out
    for said in ("accelerator: gpu", "precision: 32-true", "batch_size: 64", "ramp: 200000", "crop: 128"):
        assert said in printed


@pytest.mark.parametrize("recipe", ["rec", "perceptual"])
def test_what_a_run_saves_as_its_config_can_be_run_again(recipe, tmp_path, monkeypatch, capsys) -> None:
    assert hime(monkeypatch, "fit", "-c", str(CONFIGS / f"table1/small_16x8_{recipe}.yaml"), "--print_config") == 0
    first = capsys.readouterr().out
    (tmp_path / "config.yaml").write_text(first)
    assert hime(monkeypatch, "fit", "-c", str(tmp_path / "config.yaml"), "--print_config") == 0
    assert capsys.readouterr().out == first


def test_what_a_constructor_misses_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    perceptual = str(CONFIGS / "table1/small_16x8_perceptual.yaml")
    assert hime(monkeypatch, "fit", "-c", perceptual, "--model.init_args.initial_weights", "null") == 2
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
    config = str(CONFIGS / "table2" / "dcn.yaml")
    assert hime(monkeypatch, "fit", "-c", config, *overrides, *logger) == 2
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
    assert torch.load(last, weights_only=True)["global_step"] == 2
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
