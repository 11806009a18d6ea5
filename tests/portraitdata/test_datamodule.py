import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torch.utils.data.distributed import DistributedSampler

from portraitdata.exemplars.datamodule import ExemplarBatch, ExemplarDataModule
from portraitdata.exemplars.sources.folders import scan_folders
from portraitdata.images.resampling import bicubic, to_8_bit

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*use_fork|.*multi-threaded, use of fork:DeprecationWarning"),
]
BATCHES = 5
BATCH_SIZE = 4


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """22 training photographs, five batches of four; 10 for testing."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for person, count in {"ada": 7, "ben": 7, "cyd": 8, "dan": 5, "eve": 5}.items():
        (folder / person).mkdir()
        for number in range(count):
            buffer = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(buffer, "PNG")
            (folder / person / f"{number}.png").write_bytes(buffer.getvalue())
    splits = {"ada": "train", "ben": "train", "cyd": "train", "dan": "test", "eve": "test"}
    path = folder.parent / "index.parquet"
    scan_folders(folder, min_side=1).index.with_splits(splits).write(path)
    return path


def data(index: Path, **options) -> ExemplarDataModule:
    return ExemplarDataModule(
        index, **({"scale": 4, "size": 16, "batch_size": BATCH_SIZE, "crop": 16, "jitter": 2} | options)
    )


class Recorder(LightningModule):
    """Writes down what every step gets."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.steps: list[tuple] = []
        self.validated: list[str] = []

    def training_step(self, batch: ExemplarBatch, batch_idx: int) -> torch.Tensor:
        sums = [round(float(image.double().sum()), 3) for image in batch.references.flatten(1)]
        self.steps.append((self.trainer.current_epoch, batch_idx, *batch.names, *sums))
        return self.layer(torch.ones(1)).sum()

    def validation_step(self, batch: ExemplarBatch, batch_idx: int) -> None:
        self.validated += batch.names

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class FailAt(Callback):
    """Ends the run within a step, as a crash would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("power cut")


def trainer(folder: Path, max_epochs: int = 3, max_steps: int = -1, callbacks: tuple = (), **options) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        max_epochs=max_epochs,
        max_steps=max_steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        **options,
    )


@pytest.fixture(scope="module")
def uninterrupted(index, tmp_path_factory) -> list[tuple]:
    recorder = Recorder()
    trainer(tmp_path_factory.mktemp("run"), limit_val_batches=0).fit(recorder, data(index))
    return recorder.steps


def test_epochs_are_complete_and_differ(uninterrupted):
    assert [step[:2] for step in uninterrupted] == [(epoch, batch) for epoch in range(3) for batch in range(BATCHES)]
    assert len({step[2:6] for step in uninterrupted}) == 3 * BATCHES
    for epoch in range(3):
        names = [name for step in uninterrupted if step[0] == epoch for name in step[2:6]]
        assert len(set(names)) == BATCHES * BATCH_SIZE


@pytest.mark.parametrize(
    ("stop", "workers"), [(1, 0), (3, 0), (4, 0), (5, 0), (6, 0), (9, 0), (10, 0), (3, 2), (5, 2), (9, 2)]
)
def test_a_resumed_run_goes_on_where_it_was(index, tmp_path, uninterrupted, stop, workers):
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True, filename="{step}")
    trainer(tmp_path, max_steps=stop, callbacks=(saver,), limit_val_batches=0).fit(first, data(index))
    resumed = trainer(tmp_path, limit_val_batches=0)
    resumed.fit(second, data(index, num_workers=workers), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert first.steps + second.steps == uninterrupted
    assert resumed.current_epoch == 3


def test_an_interrupted_step_is_repeated(index, tmp_path, uninterrupted):
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, save_on_exception=True, every_n_train_steps=100, filename="{step}")
    with pytest.raises(RuntimeError, match="power cut"):
        trainer(tmp_path, callbacks=(saver, FailAt(7)), limit_val_batches=0).fit(first, data(index))
    (checkpoint,) = tmp_path.glob("*.ckpt")
    trainer(tmp_path, limit_val_batches=0).fit(second, data(index), ckpt_path=checkpoint, weights_only=False)
    assert first.steps + second.steps == uninterrupted


@pytest.mark.parametrize("moment", ["epoch end", "validation"])
def test_resumed_between_epochs(index, tmp_path, uninterrupted, moment):
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, save_on_train_epoch_end=moment == "epoch end", save_last=True)
    trainer(tmp_path, max_epochs=1, callbacks=(saver,)).fit(first, data(index))
    assert first.validated
    trainer(tmp_path).fit(second, data(index), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert first.steps + second.steps == uninterrupted


def test_resumed_after_validation_within_an_epoch(index, tmp_path, uninterrupted):
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, save_on_train_epoch_end=False, save_last=True)
    trainer(tmp_path, max_steps=8, callbacks=(saver,), val_check_interval=2).fit(first, data(index))
    seen = torch.load(tmp_path / "last.ckpt", weights_only=False)["global_step"]
    trainer(tmp_path, val_check_interval=2).fit(
        second, data(index), ckpt_path=tmp_path / "last.ckpt", weights_only=False
    )
    assert first.steps[:seen] + second.steps == uninterrupted


def test_limited_epochs_resume_too(index, tmp_path):
    whole, first, second = Recorder(), Recorder(), Recorder()
    limits = {"limit_train_batches": 3, "limit_val_batches": 0}
    trainer(tmp_path, **limits).fit(whole, data(index))
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    trainer(tmp_path, max_steps=3, callbacks=(saver,), **limits).fit(first, data(index))
    trainer(tmp_path, **limits).fit(second, data(index), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert first.steps + second.steps == whole.steps
    assert len(whole.steps) == 9


def test_resuming_with_another_batch_size_is_told(index, tmp_path):
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    trainer(tmp_path, max_steps=2, callbacks=(saver,), limit_val_batches=0).fit(Recorder(), data(index))
    with pytest.warns(UserWarning, match=r"was begun differently \(batch_size 4 -> 2\): some of its photographs"):
        trainer(tmp_path, max_steps=3, limit_val_batches=0).fit(
            Recorder(), data(index, batch_size=2), ckpt_path=tmp_path / "last.ckpt", weights_only=False
        )


@pytest.mark.filterwarnings("ignore:You requested to overfit")
def test_overfitting_sees_the_same_sets_every_epoch(index, tmp_path):
    recorder = Recorder()
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1)
    trainer(tmp_path, max_epochs=2, overfit_batches=2, limit_val_batches=0, callbacks=(saver,)).fit(
        recorder, data(index)
    )
    assert [step[2:] for step in recorder.steps[:2]] == [step[2:] for step in recorder.steps[2:]]


def test_loading_leaves_the_random_numbers_of_the_training_alone(index):
    module = data(index)
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        next(iter(loader))
    assert torch.rand(1).equal(wanted)


def test_the_sampler_is_one_that_lightning_leaves_alone(index):
    module = data(index)
    assert isinstance(module.train_dataloader().sampler, DistributedSampler)
    assert isinstance(module.val_dataloader().sampler, DistributedSampler)


@pytest.mark.slow
def test_two_processes_see_what_one_sees(index, tmp_path, uninterrupted):
    recorder = Recorder()
    trainer(
        tmp_path, max_epochs=2, devices=2, strategy="ddp_fork", limit_val_batches=1, callbacks=(Writer(tmp_path),)
    ).fit(recorder, data(index, batch_size=BATCH_SIZE // 2))
    shares = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in (0, 1)]
    steps = [sorted(a[2:4] + b[2:4]) for a, b in zip(*(share["steps"] for share in shares), strict=True)]
    assert steps == [sorted(step[2:6]) for step in uninterrupted[: 2 * BATCHES]]
    assert not set(shares[0]["validated"]) & set(shares[1]["validated"])


class Writer(Callback):
    """Leaves the records of every process in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        record = {"steps": pl_module.steps, "validated": pl_module.validated}
        torch.save(record, self.folder / f"{trainer.global_rank}.pt")


def batches(index: Path, **options) -> Iterator[ExemplarBatch]:
    module = data(index, **options)
    module.setup("fit")
    for batch in module.train_dataloader():
        yield module.on_after_batch_transfer(batch, 0)


def test_batches_are_floats_with_a_low_resolution_input(index):
    batch = next(batches(index))
    assert isinstance(batch, ExemplarBatch)
    assert (batch.hr.shape, batch.references.shape) == ((4, 3, 16, 16), (4, 3, 3, 16, 16))
    assert (batch.present.shape, len(batch.names), isinstance(batch.names, list)) == ((4, 3), 4, True)
    assert batch.hr.dtype == batch.references.dtype == torch.float32
    torch.testing.assert_close(batch.lr, to_8_bit(bicubic(batch.hr, 4, 4)), rtol=0, atol=0)
    torch.testing.assert_close(batch.lr * 255, (batch.lr * 255).round(), rtol=0, atol=1e-4)
    torch.testing.assert_close(batch.hr * 255, (batch.hr * 255).round(), rtol=0, atol=1e-4)


def test_batches_without_references(index):
    batch = next(batches(index, references=0))
    assert (batch.references.shape, batch.present.shape) == ((4, 0, 3, 16, 16), (4, 0))


@pytest.mark.parametrize("options", [{"cache": True}, {"num_workers": 2}, {"num_workers": 2, "cache": True}])
def test_workers_and_cache_change_nothing(index, options):
    for ours, plain in zip(batches(index, **options), batches(index), strict=True):
        assert ours.names == plain.names
        torch.testing.assert_close(ours.references, plain.references, rtol=0, atol=0)


def test_evaluation_loaders(index):
    module = data(index, validation_images=3)
    module.setup("validate")
    counts = [
        sum(len(batch.present) for batch in loader)
        for loader in (module.val_dataloader(), module.test_dataloader(), module.predict_dataloader())
    ]
    assert counts == [3, 10, 10]


def test_root_may_be_given(index, tmp_path):
    module = data(index, root=tmp_path)
    with pytest.raises(ValueError, match=r"dan/0\.png cannot be evaluated: There is no file"):
        next(iter(module.test_dataloader()))


def test_size_must_fit_the_scale(index):
    with pytest.raises(ValueError, match="Images of 16 pixels cannot be reduced by 3"):
        data(index, scale=3)
