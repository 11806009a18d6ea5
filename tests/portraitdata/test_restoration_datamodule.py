import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from faceops.images.files import Picture, save_picture
from portraitdata.loading.sampler import SeededSequence
from portraitdata.restoration.batches import RestorationBatch, collate, finish
from portraitdata.restoration.datamodule import RestorationDataModule, Source
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.mixture import Mixture
from portraitdata.restoration.training_pairs import RestorationPairs

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*use_fork|.*multi-threaded, use of fork:DeprecationWarning"),
]
SAMPLES, BATCH_SIZE = 20, 4
BATCHES = SAMPLES // BATCH_SIZE


@pytest.fixture(scope="module")
def indexes(tmp_path_factory) -> list[Path]:
    """Two indexes: twelve photographs to train on and four to test on; nine and three."""
    folders = [tmp_path_factory.mktemp(name) for name in ("many", "few")]
    return [
        write_synthetic_portrait_index(folder, people=people, portraits=portraits, size=48)
        for folder, people, portraits in zip(folders, (8, 4), (2, 3), strict=True)
    ]


def data(indexes: list[Path], **options) -> RestorationDataModule:
    sources = [Source(index, weight) for index, weight in zip(indexes, (1.5, 0.5), strict=True)]
    settings = {"size": 48, "batch_size": BATCH_SIZE, "samples": SAMPLES, "drop": 0.3} | options
    return RestorationDataModule(sources, **settings)


def digest(batch: RestorationBatch) -> list[tuple]:
    """What every image of a batch is, to the last bit."""
    columns = (batch.lq, batch.hq, batch.reference, batch.mask.float())
    images = [[hash(image.numpy().tobytes()) for image in column] for column in columns]
    faces = [hash(batch.faces.of(number).landmarks.numpy().tobytes()) for number in range(len(batch.names))]
    return list(zip(batch.names, batch.present.tolist(), *images, faces, strict=True))


class Recorder(LightningModule):
    """Writes down what every step gets."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.steps: list[list[tuple]] = []
        self.validated: list[tuple[int, str]] = []

    def training_step(self, batch: RestorationBatch, batch_idx: int) -> torch.Tensor:
        self.steps.append(digest(batch))
        return self.layer(torch.ones(1)).sum()

    def validation_step(self, batch: RestorationBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.validated += [(dataloader_idx, name) for name in batch.names]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(folder: Path, max_steps: int = -1, callbacks: tuple = (), **options) -> Trainer:
    settings = {
        "default_root_dir": folder,
        "max_epochs": 2,
        "max_steps": max_steps,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "callbacks": list(callbacks),
        "enable_checkpointing": any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
    }
    return Trainer(**(settings | options))


def one_process(indexes: list[Path], workers: int = 0, weights: Sequence[float] = (1.5, 0.5)) -> list[list[tuple]]:
    """Two epochs of the mixture, read without Lightning by one process that is never interrupted."""
    mixture = Mixture([RestorationPairs(index, size=48, drop=0.3) for index in indexes], weights, SAMPLES)
    steps = []
    for epoch in (0, 1):
        sampler = SeededSequence(SAMPLES, BATCH_SIZE, epoch=epoch)
        loader = DataLoader(mixture, BATCH_SIZE, sampler=sampler, collate_fn=collate, num_workers=workers)
        steps += [digest(finish(batch)) for batch in loader]
    return steps


@pytest.fixture(scope="module")
def uninterrupted(indexes) -> list[list[tuple]]:
    return one_process(indexes)


def test_the_mixture_has_everything(uninterrupted):
    images = [image for step in uninterrupted for image in step]
    assert len(images) == 2 * SAMPLES
    assert len({image[2] for image in images}) == 2 * SAMPLES  # no LQ twice
    assert {image[1] for image in images} == {True, False}  # with and without a reference
    assert len({image[4] for image in images if image[1]}) > 10


def test_workers_change_nothing(indexes, uninterrupted):
    assert one_process(indexes, workers=2) == uninterrupted


@pytest.mark.parametrize(("stop", "workers"), [(1, 0), (3, 2), (5, 0), (7, 0)])
def test_a_resumed_run_goes_on_where_it_was(indexes, tmp_path, uninterrupted, stop, workers):
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True, filename="{step}")
    trainer(tmp_path, max_steps=stop, callbacks=(saver,)).fit(first, data(indexes))
    trainer(tmp_path).fit(
        second, data(indexes, num_workers=workers), ckpt_path=tmp_path / "last.ckpt", weights_only=False
    )
    assert first.steps + second.steps == uninterrupted


@pytest.mark.parametrize("stop", [3, BATCHES, 7])
def test_another_mixture_begins_with_the_sample_that_comes_next(indexes, tmp_path, stop):
    """As stage two goes on from stage one: within an epoch, at its end, after it."""
    weights = [0.25, 1.75]
    sources = [Source(index, weight) for index, weight in zip(indexes, weights, strict=True)]
    first, second = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True, filename="{step}")
    trainer(tmp_path, max_steps=stop, callbacks=(saver,)).fit(first, data(indexes))
    changed = data(indexes)
    changed.sources = sources
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The resumed epoch was begun differently")
        trainer(tmp_path).fit(second, changed, ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    before, after = one_process(indexes), one_process(indexes, weights=weights)
    assert first.steps == before[:stop]
    assert second.steps == after[stop:]
    seen = [image[2] for step in first.steps + second.steps for image in step]
    assert len(set(seen)) == len(seen) == 2 * SAMPLES  # no sample twice and none left out


def test_two_ranks_resumed_within_an_epoch_see_what_one_process_sees(indexes, uninterrupted):
    """The batch of a step is the batches of both ranks together, before and after the interruption."""
    for epoch, stop in ((0, 2), (1, 3)):
        seen: list[list[tuple]] = [[] for _ in range(BATCHES)]
        for rank in (0, 1):
            for start, count in ((0, stop), (stop, BATCHES - stop)):
                # Nothing is left of the process that was interrupted: a new mixture, a new loader.
                datasets = [RestorationPairs(index, size=48, drop=0.3) for index in indexes]
                sampler = SeededSequence(SAMPLES, BATCH_SIZE // 2, 0, rank, 2, epoch=epoch, start=start)
                mixture = Mixture(datasets, [1.5, 0.5], SAMPLES)
                batches = iter(DataLoader(mixture, BATCH_SIZE // 2, sampler=sampler, collate_fn=collate))
                for step in range(start, start + count):
                    seen[step] += digest(finish(next(batches)))
        wanted = uninterrupted[epoch * BATCHES : (epoch + 1) * BATCHES]
        assert [sorted(step) for step in seen] == [sorted(step) for step in wanted]


class Writer(Callback):
    """Leaves the records of every process in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        torch.save(pl_module.steps, self.folder / f"{self.name}{trainer.global_rank}.pt")


@pytest.mark.slow
def test_two_processes_resumed_within_an_epoch_see_what_one_process_sees(indexes, tmp_path, uninterrupted, monkeypatch):
    """The same with two processes that talk by gloo."""
    for name in [name for name in os.environ if name in ("MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "NODE_RANK")]:
        monkeypatch.delenv(name)
    options = {"devices": 2, "strategy": "ddp_fork"}
    half = {"batch_size": BATCH_SIZE // 2}
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True, filename="{step}")
    trainer(tmp_path, max_steps=3, callbacks=(saver, Writer(tmp_path, "first")), **options).fit(
        Recorder(), data(indexes, **half)
    )
    trainer(tmp_path, callbacks=(Writer(tmp_path, "second"),), **options).fit(
        Recorder(), data(indexes, **half), ckpt_path=tmp_path / "last.ckpt", weights_only=False
    )
    ranks = [
        [step for name in ("first", "second") for step in torch.load(tmp_path / f"{name}{rank}.pt", weights_only=False)]
        for rank in (0, 1)
    ]
    assert [sorted(a + b) for a, b in zip(*ranks, strict=True)] == [sorted(step) for step in uninterrupted]


def test_degradation_on_the_device_resumes_too(indexes, tmp_path):
    whole, first, second = Recorder(), Recorder(), Recorder()
    options = {"degrade_on": "device"}
    trainer(tmp_path, max_steps=5).fit(whole, data(indexes, **options))
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    trainer(tmp_path, max_steps=2, callbacks=(saver,)).fit(first, data(indexes, **options))
    trainer(tmp_path, max_steps=5).fit(
        second, data(indexes, **options), ckpt_path=tmp_path / "last.ckpt", weights_only=False
    )
    assert first.steps + second.steps == whole.steps


def test_resuming_with_another_batch_size_is_told(indexes, tmp_path):
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    trainer(tmp_path, max_steps=1, callbacks=(saver,)).fit(Recorder(), data(indexes))
    with pytest.warns(UserWarning, match=r"was begun differently \(batch_size 4 -> 2\)"):
        trainer(tmp_path, max_steps=2).fit(
            Recorder(), data(indexes, batch_size=2), ckpt_path=tmp_path / "last.ckpt", weights_only=False
        )


def test_validation_has_an_index_and_paired_sets(indexes, tmp_path):
    for folder, side in (("gt", 16), ("lq", 4)):
        (tmp_path / "set" / folder).mkdir(parents=True)
        save_picture(Picture(torch.rand(3, side, side)), tmp_path / "set" / folder / "a.png")
    recorder = Recorder()
    module = data(indexes, validation=indexes[0], paired=[tmp_path / "set"], validation_images=2)
    trainer(tmp_path, limit_val_batches=1.0).validate(recorder, module, verbose=False)
    assert recorder.validated == [(0, "person006-0-48.png"), (0, "person007-0-48.png"), (1, "a")]
    assert [len(loader) for loader in module.test_dataloader()] == [1, 1]
    (batch,) = module.test_dataloader()[0]
    assert len(module.on_after_batch_transfer(batch, 0).names) == 4
    assert data(indexes).val_dataloader() == []


def test_loading_leaves_the_random_numbers_of_the_training_alone(indexes):
    module = data(indexes, validation=indexes[0])
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    for loader in (module.train_dataloader(), *module.val_dataloader()):
        next(iter(loader))
    assert torch.rand(1).equal(wanted)


def test_there_must_be_something_to_train_on():
    with pytest.raises(ValueError, match="There is nothing to train on"):
        RestorationDataModule([])


def test_sources_are_read_from_a_configuration(indexes, tmp_path):
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_subclass_arguments(RestorationDataModule, "data")
    parser.add_argument("--config", action="config")
    text = f"""
data:
  class_path: portraitdata.restoration.datamodule.RestorationDataModule
  init_args:
    sources:
      - {{index: {indexes[0]}, weight: 1.7}}
      - {{index: {indexes[1]}}}
    window: [0.5, 1.0]
    degrade_on: device
"""
    (tmp_path / "data.yaml").write_text(text)
    module = parser.instantiate(parser.parse_args(["--config", str(tmp_path / "data.yaml")])).data
    assert module.sources == [Source(indexes[0], 1.7), Source(indexes[1])]
    assert (module.window, module.degrade_on) == ((0.5, 1.0), "device")


def test_a_source_may_have_a_degradation_of_its_own(indexes) -> None:
    def first(sources: list[Source], **options) -> torch.Tensor:
        module = RestorationDataModule(sources, size=48, batch_size=BATCH_SIZE, samples=SAMPLES, **options)
        module.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
        return module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0).lq

    of_all = first([Source(indexes[0])], preset="mild")
    assert torch.equal(first([Source(indexes[0], preset="mild")]), of_all)
    assert torch.equal(first([Source(indexes[0], preset="mild")], preset="stablesr"), of_all)
    assert not torch.equal(first([Source(indexes[0])]), of_all)


GUIDED = {
    "grey": 0.2,
    "self_reference": 0.5,
    "stranger": 0.2,
    "hide_parts": 0.3,
    "cache": 0.1,
    "reference_size": 64,
}
"""Everything that a training of references may draw besides."""


def guided(indexes: list[Path], **options) -> RestorationDataModule:
    sources = [
        Source(indexes[0], preset="clean"),
        Source(indexes[0], preset="jpeg", scale=2),
        Source(indexes[1], 0.5, preset="mild", scale=1, grey=1.0),
    ]
    settings = {"size": 48, "batch_size": BATCH_SIZE, "samples": SAMPLES, "drop": 0.3} | GUIDED | options
    return RestorationDataModule(sources, **settings)


def test_all_kinds_of_references_resume_with_any_number_of_workers(indexes, tmp_path):
    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer(tmp_path, max_steps=5).fit(whole, guided(indexes, cache=0.0))
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    trainer(tmp_path, max_steps=2, callbacks=(saver,)).fit(first, guided(indexes, num_workers=1))
    trainer(tmp_path, max_steps=5).fit(second, guided(indexes), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert first.steps + second.steps == whole.steps


def test_sources_with_scales_of_their_own_make_one_batch(indexes):
    module = guided(indexes, validation=indexes[0])
    module.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    batches = [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]
    assert {tuple(batch.reference.shape[1:]) for batch in batches} == {(3, 64, 64)}
    assert {batch.lq.shape[-1] for batch in batches} <= {48, 24, 12}
    colourless = [bool((image == image[:1]).all()) for batch in batches for image in batch.hq]
    assert 0.2 * SAMPLES < sum(colourless) < SAMPLES  # all of one source, a fifth of the others
    (evaluated,) = module.test_dataloader()[0]
    evaluated = module.on_after_batch_transfer(evaluated, 0)
    assert (evaluated.reference.shape[-1], evaluated.lq.shape[-1]) == (64, 12)
    assert evaluated.same_person.equal(evaluated.present)


def test_an_index_of_several_sources_is_read_once(indexes):
    module = guided(indexes)
    mixture = module._read_training()
    assert mixture.datasets[0].index is mixture.datasets[1].index


def test_the_guided_configuration_is_read():
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_subclass_arguments(RestorationDataModule, "data")
    path = Path(__file__).parents[2] / "lightning_configs/headsup/data/tiny_guided.yaml"
    module = parser.instantiate(parser.parse_args([f"--data={path}"])).data
    kinds = {"clean": "good", "jpeg": "good", "mild": "mild", "realesrgan": "realesrgan"}
    weights = {kind: 0.0 for kind in kinds.values()}
    for source in module.sources:
        weights[kinds[source.preset]] += source.weight
    assert weights["good"] == pytest.approx(weights["mild"]) == pytest.approx(weights["realesrgan"])
    assert (module.cache, module.reference_size, module.hide_parts) == (4.0, 256, 0.3)
