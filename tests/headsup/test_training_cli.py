"""`headsup fit | validate | test | predict | export`, from the command line to a weights file."""

import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml

from headsup.cli import main
from headsup.weights.files import load_restorer, read_weights

CONFIGS = Path(__file__).parents[2] / "lightning_configs" / "headsup"
DOCUMENT = Path(__file__).parents[2] / "docs" / "train-headsup.md"
COMMANDS = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("headsup fit -c $C/")]
ROWS = sorted((CONFIGS / "table4").glob("*.yaml"))
SMALL = [
    *("--data.init_args.people", "4"),
    *("--data.init_args.portraits", "2"),
    *("--data.init_args.validation_images", "1"),
    *("--trainer.enable_progress_bar", "false"),
]

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def headsup(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    """Run the console script in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["headsup", *argv])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_there_is_a_command_for_every_run() -> None:
    assert len(ROWS) == 5
    assert len(set(COMMANDS)) == len(COMMANDS) == 25
    named = {word.removeprefix("$C/") for command in COMMANDS for word in shlex.split(command)}
    assert {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")} - named == {
        "data/tiny_guided.yaml",
        "trainer/tiny_guided.yaml",
    }
    for path in CONFIGS.rglob("*.yaml"):
        assert path.read_text().startswith("# ")


def test_the_last_guided_run_has_steps_left_after_the_checkpoint_that_it_goes_on_from(monkeypatch, capsys) -> None:
    (command,) = (command for command in COMMANDS if "tiny_guided_large" in command)
    argv = shlex.split(command.replace("$C", str(CONFIGS)))[1:]
    assert headsup(monkeypatch, *argv, "--print_config") == 0, capsys.readouterr().err
    config = yaml.safe_load(capsys.readouterr().out)
    before = yaml.safe_load((CONFIGS / "trainer" / "tiny_guided.yaml").read_text())
    assert config["ckpt_path"] == "runs/tiny_guided/version_1/checkpoints/last.ckpt"
    assert config["model"]["init_args"]["initial_weights"] is None  # all is in the checkpoint
    assert config["trainer"]["max_steps"] > before["max_steps"]
    assert config["trainer"]["precision"] == before["precision"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_parses_and_is_saved_so_that_it_can_be_run_again(command, tmp_path, monkeypatch, capsys) -> None:
    argv = shlex.split(command.replace("$C", str(CONFIGS)))[1:]
    assert headsup(monkeypatch, *argv, "--print_config") == 0, capsys.readouterr().err
    first = capsys.readouterr().out
    assert "Unable to serialize" not in first
    (tmp_path / "config.yaml").write_text(first)
    assert headsup(monkeypatch, "fit", "-c", str(tmp_path / "config.yaml"), "--print_config") == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("row", ROWS, ids=lambda path: path.stem)
@pytest.mark.parametrize("of", ["the paper", "the miniature"])
def test_a_row_of_the_ablation_is_that_of_the_paper_and_of_the_miniature(row, of, monkeypatch, capsys) -> None:
    paper, base = of == "the paper", CONFIGS / "tiny.yaml"
    files = [CONFIGS / "sd21_stage1.yaml", CONFIGS / "sd21_stage2.yaml", row] if paper else [base, row]
    files += [] if paper else [CONFIGS / "tiny_table4.yaml"]
    argv = [word for path in files for word in ("-c", str(path))]
    assert headsup(monkeypatch, "fit", *argv, "--print_config") == 0
    config = yaml.safe_load(capsys.readouterr().out)
    model = config["model"]["init_args"]
    assert config["trainer"]["max_steps"] == (150_000 if paper else 600)
    assert config["data"]["init_args"]["references"] == ("reference" in row.stem)
    assert (model["weights"]["fidelity"], model["weights"]["identity"]) == {"1": (0, 0), "2": (1, 0), "3": (0, 4)}.get(
        row.stem[3], (1, 4)
    )
    assert model["initial_weights"] == (None if paper else "outputs/tiny_stage1.safetensors")
    assert (config["ckpt_path"] is not None) == paper
    assert model["weights"]["distillation"] == (1 if paper else 0.05)


@pytest.mark.parametrize(("stage", "ratios"), [(1, (0.15, 0.05, 1.7, 0.3)), (2, (1.5, 0.5, 1.7, 0.3))])
def test_stages_have_the_papers_steps_and_mixtures(stage, ratios, monkeypatch, capsys) -> None:
    argv = [word for one in range(1, stage + 1) for word in ("-c", str(CONFIGS / f"sd21_stage{one}.yaml"))]
    assert headsup(monkeypatch, "fit", *argv, "--print_config") == 0
    config = yaml.safe_load(capsys.readouterr().out)
    data, trainer, model = config["data"]["init_args"], config["trainer"], config["model"]["init_args"]
    assert tuple(source["weight"] for source in data["sources"]) == ratios
    assert (data["size"], data["drop"], trainer["devices"]) == (1024, 0.2, 8)
    assert trainer["max_steps"] == {1: 40_000, 2: 40_000 + 110_000}[stage]
    assert model["initial_weights"] is None  # the checkpoint has them, and all that stage one has learnt besides
    assert config["ckpt_path"] == {1: None, 2: "runs/headsup/version_0/checkpoints/last.ckpt"}[stage]
    assert model["generator_optimizer"] == "headsup.training.restorer.adamw"
    weights = model["weights"]
    assert (weights["fidelity"], weights["fidelity_lpips"], weights["identity"]) == (1, 0.8, 4)
    assert (weights["l2"], weights["lpips"], weights["fidelity_l2"]) == (1, 2, 1)


@pytest.mark.parametrize("row", ROWS[:4], ids=lambda path: path.stem)
def test_a_row_of_the_ablation_goes_on_from_a_stage_one_of_its_own(row, monkeypatch, capsys) -> None:
    """The same losses and no references in both stages; the checkpoint is where stage one leaves it."""
    configs = []
    for command in COMMANDS:
        words = shlex.split(command.replace("$C", str(CONFIGS)))[1:]
        if str(row) in words and str(CONFIGS / "tiny.yaml") not in words:
            assert headsup(monkeypatch, *words, "--print_config") == 0
            configs.append(yaml.safe_load(capsys.readouterr().out))
    first, second = configs
    assert (first["trainer"]["max_steps"], second["trainer"]["max_steps"]) == (40_000, 150_000)
    assert first["model"] == second["model"]
    assert first["data"]["init_args"]["references"] is second["data"]["init_args"]["references"] is False
    logger = first["trainer"]["logger"]["init_args"]
    assert first["ckpt_path"] is None
    assert second["ckpt_path"] == f"{logger['save_dir']}/{logger['name']}/version_0/checkpoints/last.ckpt"
    assert [source["weight"] for source in first["data"]["init_args"]["sources"]] == [0.15, 0.05, 1.7, 0.3]
    assert [source["weight"] for source in second["data"]["init_args"]["sources"]] == [1.5, 0.5, 1.7, 0.3]


def test_what_a_constructor_misses_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert headsup(monkeypatch, "fit", "-c", str(CONFIGS / "sd21_stage1.yaml")) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("headsup: ")
    assert "adaface-ir101-webface12m" in message


def test_fit_resume_test_predict_export(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    smoke = str(CONFIGS / "smoke.yaml")
    often = ("--trainer.val_check_interval", "2", "--checkpoint.every_n_train_steps", "2")
    assert headsup(monkeypatch, "fit", "-c", smoke, *SMALL, *often, "--trainer.max_steps", "3") == 0
    run = tmp_path / "runs" / "headsup_smoke" / "version_0"
    last = run / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 3  # the last step, between two checkpoints
    assert list(run.glob("events.*"))

    resumed = ("--trainer.max_steps", "4", "--ckpt_path", str(last), "--model.init_args.max_grad_norm", "0.5")
    assert headsup(monkeypatch, "fit", "-c", smoke, *SMALL, *often, *resumed) == 0
    config = tmp_path / "runs" / "headsup_smoke" / "version_1" / "config.yaml"
    assert "max_grad_norm: 0.5" in config.read_text()  # the command line decides, not the checkpoint
    newest = config.parent / "checkpoints" / "last.ckpt"
    for command in ("validate", "test", "predict"):
        assert headsup(monkeypatch, command, "-c", str(config), "--ckpt_path", str(newest)) == 0
    assert len(list((tmp_path / "outputs" / "predictions").rglob("*.png"))) == 2

    weights = tmp_path / "out.safetensors"
    card = ("--card.training_data", "drawn portraits")
    assert headsup(monkeypatch, "export", str(newest), "--output", str(weights), "--half", *card) == 0
    read = read_weights(weights)
    assert (read.card.steps, read.card.training_data, read.settings.base) == (4, "drawn portraits", "random:tiny")
    average = next(s for s in torch.load(newest, weights_only=True)["callbacks"].values() if "average" in s)["average"]
    restorer, _ = load_restorer(weights)
    for name, parameter in restorer.generator_parameters().items():
        torch.testing.assert_close(parameter.data, average[name].half().float())


def test_another_checkpoint_is_not_exported(tmp_path, monkeypatch, capsys) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    assert (
        headsup(monkeypatch, "export", str(tmp_path / "other.ckpt"), "--output", str(tmp_path / "x.safetensors")) == 2
    )
    assert "no checkpoint of a restorer" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()
