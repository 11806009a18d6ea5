"""Checkpoints of trainings that are killed, whose disk is full, and that go on."""

import os
import resource
import signal
import sys
from io import BufferedWriter, FileIO
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from faceops.atomic_files import machine_name, temporary_name
from portraitdata.training.recipe_cli import run_recipe
from portraitdata.training.resuming import resume
from portraitdata.training.whole_checkpoints import WholeCheckpoints, clear_half_written, is_whole, newest_whole

LAYERS = 8


class Fate:
    """Kills this process at one of the calls that write, sync or rename a file."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedFile(BufferedWriter):
    """File that is on the disk at once, up to the write at which its process is killed."""

    fate: Fate

    def write(self, data: bytes) -> int:
        self.fate()
        written = super().write(data)
        self.flush()
        return written


def content(step: int) -> dict[str, object]:
    """Checkpoint whose tensors all say which step it is of."""
    tensors = {f"layer{number}": torch.full((50, 50), float(step)) for number in range(LAYERS)}
    return {"global_step": step, "state_dict": tensors}


def write_until(path: Path, step: int, moment: int) -> None:
    """Go on with a run: write a checkpoint, in a process that is killed at a moment of it."""
    DoomedFile.fate = fate = Fate(moment)
    opened, fsync, replace = Path.open, os.fsync, os.replace
    Path.open = lambda self, mode="r": DoomedFile(FileIO(self, "w")) if mode == "wb" else opened(self, mode)
    os.fsync = lambda descriptor: (fate(), fsync(descriptor))
    os.replace = lambda *places: (fate(), replace(*places))
    clear_half_written(path.parent)
    WholeCheckpoints().save_checkpoint(content(step), path)


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_has_a_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    WholeCheckpoints().save_checkpoint(content(0), path)
    half_written = moment = 0
    while torch.load(path, weights_only=True)["global_step"] == 0 and moment < 1000:
        child = os.fork()
        if child == 0:
            write_until(path, moment + 1, moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        left = set(os.listdir(path.parent)) - {"last.ckpt"}
        half_written += bool(left)
        assert len(left) <= 1  # the next start has removed what the one before has left
        moment += 1
    # the last process was killed when the file had its name, and the name was not yet known to be on the disk
    assert half_written == moment - 1 > 3 * LAYERS
    read = torch.load(path, weights_only=True)
    assert read["global_step"] == moment
    assert all((values == moment).all() for values in read["state_dict"].values())
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    WholeCheckpoints().save_checkpoint(content(1), tmp_path / "run" / "last.ckpt")
    assert is_whole(tmp_path / "run" / "last.ckpt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_named_by_its_folder_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint(content(1), path)
    before = path.read_bytes()
    (tmp_path / temporary_name("last", ".ckpt")).symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"The folder .* is full: the checkpoint last\.ckpt was not written") as caught:
        WholeCheckpoints().save_checkpoint(content(2), path)
    assert str(caught.value).startswith(f"The folder {tmp_path} is full")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint(content(1), path)
    before, (_, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(OSError, match=r"does not take it \(File too large\)") as caught:
            WholeCheckpoints().save_checkpoint(content(2), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert str(tmp_path) in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_an_error_of_another_kind_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="lambda"):
        WholeCheckpoints().save_checkpoint({"cannot be pickled": lambda: None}, tmp_path / "last.ckpt")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["empty", "cut off", "another byte", "another file"])
def test_the_newest_whole_checkpoint_takes_the_place_of_a_damaged_one(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "version_0" / "checkpoints"
    places = [folder / "step=1.ckpt", folder / "step=2.ckpt", folder / "last.ckpt"]
    for step, place in enumerate(places):
        WholeCheckpoints().save_checkpoint(content(step), place)
        os.utime(place, (step, step))
    good = places[2].read_bytes()
    bad = {"empty": b"", "cut off": good[:-100], "another file": b"no checkpoint" * 100}
    places[2].write_bytes(bad.get(damage, good[:40_000] + bytes([good[40_000] ^ 1]) + good[40_001:]))
    (folder / ".last.elsewhere-1.ckpt").write_bytes(good)
    assert newest_whole(tmp_path) == (places[1], [places[2]])
    sentence = (
        f"Not whole, as if a run was killed or the disk was full: {places[2]}. Training goes on from {places[1]}."
    )
    assert resume("last", tmp_path) == resume(str(tmp_path), Path("absent")) == (str(places[1]), sentence)
    with pytest.raises(ValueError, match=r"last\.ckpt is not a whole checkpoint.*whole is .*step=2\.ckpt"):
        resume(str(places[2]), tmp_path)
    assert resume(str(places[0]), tmp_path) == (str(places[0]), None)


def test_where_none_is_whole_there_is_no_new_beginning_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(ValueError, match=r"No checkpoint in .* is whole: .*last\.ckpt"):
        resume("last", tmp_path)
    (tmp_path / "last.ckpt").unlink()
    checkpoint, sentence = resume("last", tmp_path)
    assert checkpoint is None
    assert "training begins" in str(sentence)
    with pytest.raises(ValueError, match=r"no checkpoint \(\*\.ckpt\) in the folder"):
        resume(str(tmp_path), tmp_path)


class Line(LightningModule):
    """A line through the origin."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch: Tensor) -> Tensor:
        return (self.slope * batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Points(LightningDataModule):
    """Eight numbers."""

    def train_dataloader(self) -> DataLoader:
        return DataLoader(torch.ones(8))


def fit(monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    """Train a line on the CPU, with a checkpoint after each step."""
    options = {
        "--model": f"{__name__}.Line",
        "--data": f"{__name__}.Points",
        "--trainer.accelerator": "cpu",
        "--trainer.precision": "32-true",
        "--trainer.logger": "lightning.pytorch.loggers.CSVLogger",
        "--trainer.logger.save_dir": "runs",
        "--trainer.logger.name": "line",
        "--trainer.enable_progress_bar": "false",
        "--trainer.enable_model_summary": "false",
        "--checkpoint.every_n_train_steps": "1",
        "--checkpoint.save_top_k": "-1",
    }
    monkeypatch.setattr(sys, "argv", ["line", "fit", *(word for pair in options.items() for word in pair), *argv])
    run_recipe("line", LightningModule, LightningDataModule)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_training_goes_on_from_the_newest_whole_checkpoint_of_all_its_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    fit(monkeypatch, "--trainer.max_steps", "3", "--ckpt_path", "last")
    assert "no checkpoint in runs/line yet: training begins" in capsys.readouterr().err
    folder = Path("runs/line/version_0/checkpoints")
    dead = os.fork()
    if dead == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(dead, 0)
    left = folder / f".last.{machine_name()}-{dead}.ckpt"
    left.write_bytes(b"half")
    (folder / "last.ckpt").write_bytes(b"")
    (folder / "epoch=0-step=3.ckpt").write_bytes((folder / "epoch=0-step=2.ckpt").read_bytes()[:-50])
    fit(monkeypatch, "--trainer.max_steps", "5", "--ckpt_path", "last")
    told = capsys.readouterr().err
    assert "Not whole, as if a run was killed" in told
    assert f"Training goes on from {folder / 'epoch=0-step=2.ckpt'}." in told
    assert not left.exists()
    resumed = Path("runs/line/version_1/checkpoints")
    assert sorted(os.listdir(resumed)) == [*(f"epoch=0-step={step}.ckpt" for step in (3, 4, 5)), "last.ckpt"]
    assert torch.load(resumed / "last.ckpt", weights_only=True)["global_step"] == 5
    fit(monkeypatch, "--trainer.max_steps", "6", "--ckpt_path", "runs/line")
    assert "Training goes on from runs/line/version_1/checkpoints/" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_full_disk_ends_a_training_with_the_name_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs/line/version_0/checkpoints"
    folder.mkdir(parents=True)
    (folder / temporary_name("epoch=0-step=1", ".ckpt")).symlink_to("/dev/full")
    with pytest.raises(OSError, match="is full") as caught:
        fit(monkeypatch, "--trainer.max_steps", "2", "--checkpoint.dirpath", str(folder))
    assert str(folder) in str(caught.value)
    assert os.listdir(folder) == []
