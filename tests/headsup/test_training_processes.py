"""Several processes train one restorer: OSEDiff's regularizers never exchanged their gradients."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy

from headsup.losses.objective import LossWeights
from headsup.model.settings import RestorerSettings
from headsup.training.restorer import RestorerTrainer
from portraitdata.restoration.synthetic_datamodule import SyntheticRestorationDataModule

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*", "ignore:.*multi-threaded.*"),
    pytest.mark.filterwarnings("ignore:find_unused_parameters=True was specified"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def sgd(parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


class Keep(Callback):
    """Writes what each process has at the end, and how many faces it saw."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.faces = folder, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.faces.append(len(batch.faces))

    def on_train_end(self, trainer, pl_module) -> None:
        values = {name: p.detach() for name, p in pl_module.named_parameters() if p.requires_grad}
        torch.save({"values": values, "faces": self.faces}, self.folder / f"{trainer.global_rank}.pt")


def trained(folder: Path, portraits: Path, devices: int, batch_size: int, **arguments) -> list[dict]:
    """What every process has after two steps."""
    folder.mkdir()
    torch.manual_seed(0)
    settings = {
        "restorer": RestorerSettings("random:tiny"),
        "weights": LossWeights(identity=0.0, adversarial=0.1),
        "perceptual": None,
        "identity": None,
        "face_size": 32,
        "generator_optimizer": sgd,
        "regularizer_optimizer": sgd,
        "discriminator_optimizer": sgd,
        "checkpoint_activations": False,
    }
    model = RestorerTrainer(**(settings | arguments))
    data = SyntheticRestorationDataModule(portraits, people=4, portraits=3, size=32, batch_size=batch_size)
    data.keep_face, data.window, data.references = 1.0, (1.0, 1.0), True  # one face in every image
    strategy = DDPStrategy(start_method="fork", process_group_backend="gloo", find_unused_parameters=True)
    Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=strategy if devices > 1 else "auto",
        max_steps=2,
        default_root_dir=folder,
        logger=False,
        callbacks=[Keep(folder)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,
    ).fit(model, data)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(devices)]


@pytest.fixture(autouse=True)
def _one_thread():
    """So that a forked process sums in the same order as this one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_equal_one_with_the_doubled_batch(tmp_path) -> None:
    """Every trained parameter, also the regularizer's; timesteps and noise are those of the sample."""
    (one,) = trained(tmp_path / "one", tmp_path, devices=1, batch_size=2)
    first, second = trained(tmp_path / "two", tmp_path, devices=2, batch_size=1)
    assert one["faces"] == [2, 2]
    assert first["faces"] == second["faces"] == [1, 1]
    for name, value in first["values"].items():
        assert second["values"][name].equal(value), name
    torch.testing.assert_close(first["values"], one["values"], rtol=0, atol=2e-6)

    fresh = RestorerSettings("random:tiny").build()
    for names in (fresh.generator_parameters(), fresh.regularizer_parameters()):
        moved = [(one["values"][f"restorer.{n}"] - p).abs().max() > 1e-5 for n, p in names.items()]
        assert any(moved)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{"checkpoint_activations": True}, {"accumulate": 2}])
def test_processes_agree_with_checkpointed_activations_and_accumulated_batches(tmp_path, arguments) -> None:
    (one,) = trained(tmp_path / "one", tmp_path, devices=1, batch_size=2, **arguments)
    first, second = trained(tmp_path / "two", tmp_path, devices=2, batch_size=1, **arguments)
    for name, value in first["values"].items():
        assert second["values"][name].equal(value), name
    torch.testing.assert_close(first["values"], one["values"], rtol=0, atol=2e-6)
