"""What the training commands tell whoever started them, and where a resumed run goes on."""

import csv
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.utils.data import DataLoader

from portraitdata.training.misspelt_keys import misspelt_keys
from portraitdata.training.recipe_cli import run_recipe
from portraitdata.training.replicas import refuse_sharding
from portraitdata.training.step_schedule import StepSchedule

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


class Slope(LightningModule):
    """A line through the origin, at a rate that falls to nothing.

    Args:
        rate: Full learning rate.
    """

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.slope, self.rate = torch.nn.Parameter(torch.ones(1)), rate

    def training_step(self, batch: Tensor) -> Tensor:
        self.log("rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        return (self.slope * batch).square().mean()

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.SGD(self.parameters(), self.rate)
        steps = self.trainer.max_steps
        schedule = StepSchedule(optimizer, [lambda step: 1 - step / steps])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Numbers(LightningDataModule):
    """Eight numbers.

    Args:
        batch_size: Numbers in a batch.
    """

    def __init__(self, batch_size: int = 1) -> None:
        super().__init__()
        self.batch_size = batch_size

    def train_dataloader(self) -> DataLoader:
        return DataLoader(torch.ones(8), self.batch_size)


class Sigterm(Callback):
    """Ends the run as a scheduler of a cluster does.

    Args:
        step: Step after which it is ended.
    """

    def __init__(self, step: int = 2) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def fit(monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    """Train a line on the CPU, with a checkpoint after every second step."""
    options = {
        "--model": f"{__name__}.Slope",
        "--data": f"{__name__}.Numbers",
        "--trainer.accelerator": "cpu",
        "--trainer.precision": "32-true",
        "--trainer.logger": "lightning.pytorch.loggers.TensorBoardLogger",
        "--trainer.logger.save_dir": "runs",
        "--trainer.logger.name": "line",
        "--trainer.log_every_n_steps": "1",
        "--trainer.enable_model_summary": "false",
        "--checkpoint.every_n_train_steps": "2",
    }
    monkeypatch.setattr(sys, "argv", ["line", "fit", *(word for pair in options.items() for word in pair), *argv])
    run_recipe("line", LightningModule, LightningDataModule)


def rates(folder: Path) -> dict[int, float]:
    """Logged learning rates by step."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("rate")}


def test_last_goes_on_in_the_same_run_of_tensorboard_at_the_rates_of_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    fit(monkeypatch, "--trainer.max_steps", "4")
    run = Path("runs/line/version_0")
    assert rates(run) == pytest.approx({step: 0.5 * (1 - step / 4) for step in range(4)})
    assert "step 4 of 4" in capsys.readouterr().out
    fit(monkeypatch, "--trainer.max_steps", "6", "--model.init_args.rate", "0.25", "--ckpt_path", "last")
    assert os.listdir("runs/line") == ["version_0"]
    old, new = ({step: rate * (1 - step / steps) for step in range(steps)} for rate, steps in ((0.5, 4), (0.25, 6)))
    assert rates(run) == pytest.approx(new | old)
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 6
    assert "rate: 0.25" in (run / "config.yaml").read_text()
    assert "rate: 0.5" in (run / "config-1.yaml").read_text()
    fit(monkeypatch, "--trainer.max_steps", "7", "--ckpt_path", str(run / "checkpoints" / "last.ckpt"))
    assert sorted(os.listdir("runs/line")) == ["version_0", "version_1"]


def test_a_stated_folder_keeps_what_was_logged_before_and_takes_no_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stated = ["--trainer.logger", "lightning.pytorch.loggers.CSVLogger", "--trainer.logger.version", "own"]
    stated += ["--trainer.logger.save_dir", "runs", "--trainer.logger.name", "line"]
    fit(monkeypatch, *stated, "--trainer.max_steps", "4")
    with pytest.raises(FileExistsError, match=r"a run in .*own already. Go on with it by --ckpt_path last"):
        fit(monkeypatch, *stated, "--trainer.max_steps", "4")
    fit(monkeypatch, *stated, "--trainer.max_steps", "6", "--ckpt_path", "last")
    run = Path("runs/line/own")
    steps = [
        [int(row["step"]) for row in csv.DictReader((run / name).read_text().splitlines())]
        for name in ("metrics-1.csv", "metrics.csv")
    ]
    assert steps == [[0, 1, 2, 3], [4, 5]]
    assert (run / "config-1.yaml").is_file()


def test_the_last_step_has_a_checkpoint_and_a_finished_run_goes_on_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fit(monkeypatch, "--trainer.max_steps", "5")
    checkpoints = Path("runs/line/version_0/checkpoints")
    kept = {path.name: torch.load(path, weights_only=True)["global_step"] for path in checkpoints.iterdir()}
    assert kept.pop("last.ckpt") == 5
    assert list(kept.values()) == [5]
    fit(monkeypatch, "--trainer.max_steps", "7", "--ckpt_path", "last")
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] == 7
    assert sorted(rates(checkpoints.parent)) == list(range(7))


def test_of_the_best_checkpoints_none_gives_way_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fit(monkeypatch, "--trainer.max_steps", "5", "--checkpoint.monitor", "rate", "--checkpoint.mode", "max")
    steps = {path.name: torch.load(path, weights_only=True)["global_step"] for path in Path("runs").rglob("*.ckpt")}
    assert steps.pop("last.ckpt") == 5
    assert list(steps.values()) == [2]  # the highest rate of those that are monitored


def test_what_was_logged_after_the_checkpoint_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fit(monkeypatch, "--trainer.max_steps", "5", "--checkpoint.save_top_k", "-1")
    run = Path("runs/line/version_0")
    for path in (run / "checkpoints").glob("*.ckpt"):
        if torch.load(path, weights_only=True)["global_step"] != 4:
            path.unlink()
    fit(monkeypatch, "--trainer.max_steps", "8", "--ckpt_path", "last")
    assert rates(run)[4] == pytest.approx(0.25)


@pytest.mark.parametrize(("step", "told"), [(1, "There is no checkpoint in runs/line yet"), (3, "goes on from runs/")])
def test_a_terminated_run_does_not_end_as_a_finished_one_and_names_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, step: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = ("--trainer.callbacks", f"{__name__}.Sigterm", "--trainer.callbacks.step", str(step))
    with pytest.raises(SystemExit) as stop:
        fit(monkeypatch, "--trainer.max_steps", "6", *ended)
    assert stop.value.code == 128 + signal.SIGTERM
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("line: terminated. ")
    assert told in message


def test_what_the_command_line_says_counts_wherever_the_config_stands(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.yaml").write_text("trainer: {max_steps: 20}")
    fit(monkeypatch, "--trainer.max_steps", "2", "--config", "some.yaml")
    assert sorted(rates(tmp_path / "runs" / "line" / "version_0")) == [0, 1]


def test_a_misspelt_key_is_answered_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        fit(monkeypatch, "--data.init_args.batchsize", "3")
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "Numbers has no batchsize (--data.init_args.batchsize); did you mean batch_size?" in message
    assert "NestedArg" not in message


def test_misspelt_keys_of_files_and_of_groups_within_groups(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(
        "trainer: {max_step: 3, logger: {class_path: lightning.pytorch.loggers.CSVLogger, init_args: {naem: x}}}\n"
        f"model: {{class_path: {__name__}.Slope, init_args: {{rtae: 1}}}}\n"
        f"data: {{class_path: {__name__}.Numbers, init_args: {{batch_size: 2}}}}\n"
    )
    groups = {"model": LightningModule, "data": LightningDataModule, "trainer": Trainer}
    assert misspelt_keys(["fit", "--config", str(path), "--data.qqq=3"], groups) == [
        "Slope has no rtae (--model.init_args.rtae); did you mean rate?",
        "Trainer has no max_step (--trainer.max_step); did you mean max_steps?",
        "CSVLogger has no naem (--trainer.logger.init_args.naem); did you mean name?",
    ]


def test_what_a_class_has_that_another_one_replaces_is_no_misspelt_key(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("data: {class_path: elsewhere.Pictures, init_args: {folder: pictures}}")
    argv = ["fit", "--config", str(path), "--data", f"{__name__}.Numbers", "--data.init_args.batch_sizes", "2"]
    assert misspelt_keys(argv, {"data": LightningDataModule}) == [
        "Numbers has no batch_sizes (--data.init_args.batch_sizes); did you mean batch_size?"
    ]


def test_a_strategy_that_cuts_the_weights_is_refused(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", devices=1, strategy=ModelParallelStrategy(), default_root_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^ModelParallelStrategy gives each device a part of the weights"):
        refuse_sharding(trainer)
