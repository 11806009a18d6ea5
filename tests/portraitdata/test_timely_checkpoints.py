"""When checkpoints are written, and which are the best."""

from datetime import timedelta
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from portraitdata.training.last_step import LastStep
from portraitdata.training.timely_checkpoints import TimelyCheckpoints

SCORES = {2: 0.1, 4: 0.9, 6: 0.3, 8: 0.2}
"""By step."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


class Stepped(LightningModule):
    """A number, stepped by Lightning or by hand.

    Args:
        by_hand: Whether by hand.
    """

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.number, self.automatic_optimization = torch.nn.Parameter(torch.ones(1)), not by_hand

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = (self.number * batch).square().mean()
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/score", SCORES[self.trainer.global_step])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


def fitted(
    folder: Path, by_hand: bool, steps: int, epochs: int | None = None, **arguments
) -> tuple[TimelyCheckpoints, dict[str, int]]:
    """The callback after a fit, and the steps of the checkpoints that it has left, by name."""
    kept = TimelyCheckpoints(folder, save_last=True, **arguments)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=epochs,
        val_check_interval=2,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[kept, LastStep()],
    )
    trainer.fit(Stepped(by_hand), DataLoader(torch.ones(3)), DataLoader(torch.ones(1)))
    return kept, {path.name: torch.load(path, weights_only=True)["global_step"] for path in folder.glob("*.ckpt")}


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("every", [1, 2])
def test_the_best_checkpoint_is_that_of_the_best_validation(tmp_path: Path, by_hand: bool, every: int) -> None:
    kept, steps = fitted(tmp_path, by_hand, 8, monitor="val/score", mode="max", every_n_train_steps=every)
    assert steps.pop(Path(kept.best_model_path).name) == 4
    assert steps == {"last.ckpt": 8}
    assert kept.best_model_score == pytest.approx(0.9)


def test_the_last_is_written_between_validations(tmp_path: Path) -> None:
    _, steps = fitted(tmp_path, True, 3, monitor="val/score", mode="max", every_n_train_steps=1)
    assert sorted(steps.values()) == [2, 3]


def test_the_last_step_of_the_last_epoch_has_one(tmp_path: Path) -> None:
    _, steps = fitted(tmp_path, False, -1, epochs=2, every_n_train_steps=4)
    assert sorted(steps.values()) == [6, 6]


@pytest.mark.parametrize("by_hand", [True, False])
def test_checkpoints_by_time(tmp_path: Path, by_hand: bool) -> None:
    _, steps = fitted(tmp_path / "often", by_hand, 3, save_top_k=-1, train_time_interval=timedelta(0))
    assert sorted(steps.values()) == [1, 2, 3, 3]
    _, steps = fitted(tmp_path / "seldom", by_hand, 3, save_top_k=-1, train_time_interval=timedelta(hours=1))
    assert set(steps.values()) == {3}
