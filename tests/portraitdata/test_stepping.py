"""Two networks stepped in turn, against a loop written down."""

import copy

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from portraitdata.training.stepping import optimizers_of, stepping

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*", "ignore:.*lr_scheduler.step.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]

ACCUMULATE, MAX_GRAD_NORM = 2, 0.1
BATCHES = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))


class Pair(LightningModule):
    """A network whose loss goes through the other one, which must not move by it."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1)

    def configure_optimizers(self):
        optimizers = [torch.optim.Adam(network.parameters(), lr=0.1) for network in (self.first, self.second)]
        self.schedules = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) for optimizer in optimizers]
        return optimizers

    def losses(self, batch):
        made = self.first(batch)
        return lambda: self.second(made).square().mean(), lambda: (self.second(made.detach()) - 1).square().mean()

    def training_step(self, batch, batch_idx):
        for loss, optimizer, schedule in zip(self.losses(batch), optimizers_of(self), self.schedules, strict=True):
            with stepping(self, optimizer, ACCUMULATE, MAX_GRAD_NORM, schedule) as backward:
                backward(loss())


def by_hand(module):
    """Gradients of two batches summed, clipped and applied, of each network alone; the fifth batch ends the epoch."""
    networks = [module.first, module.second]
    optimizers = module.configure_optimizers()
    sums = [[torch.zeros_like(p) for p in network.parameters()] for network in networks]
    for number, batch in enumerate(BATCHES, 1):
        for i, loss in enumerate(module.losses(batch)):
            parameters = list(networks[i].parameters())
            for total, gradient in zip(sums[i], torch.autograd.grad(loss() / ACCUMULATE, parameters), strict=True):
                total += gradient
            if number % ACCUMULATE and number < len(BATCHES):
                continue
            norm = torch.stack([total.norm() for total in sums[i]]).norm()
            for parameter, total in zip(parameters, sums[i], strict=True):
                parameter.grad = total * min(1.0, MAX_GRAD_NORM / (norm.item() + 1e-6))
            optimizers[i].step()
            module.schedules[i].step()
            sums[i] = [torch.zeros_like(p) for p in parameters]


def one_epoch(folder):
    """A trainer that is silent and keeps nothing."""
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def test_each_network_is_stepped_by_its_own_clipped_gradient_of_the_accumulated_batches(tmp_path):
    module = Pair()
    expected = copy.deepcopy(module)
    before = copy.deepcopy(module.state_dict())
    trainer = one_epoch(tmp_path)
    trainer.fit(module, DataLoader(BATCHES, batch_size=None))
    by_hand(expected)
    torch.testing.assert_close(module.state_dict(), expected.state_dict())
    assert all((module.state_dict()[name] - value).abs().min() > 0 for name, value in before.items())
    assert trainer.global_step == 3  # the first network's steps alone are counted
    assert [schedule.get_last_lr()[0] for schedule in module.schedules] == [0.1 / 8, 0.1 / 8]


class Accumulating(LightningModule):
    """One weight, stepped by plain gradient descent, whose gradient is never clipped."""

    def __init__(self, accumulate):
        super().__init__()
        self.automatic_optimization = False
        self.accumulate = accumulate
        self.weight = nn.Parameter(torch.zeros(1))

    def configure_optimizers(self):
        return torch.optim.SGD([self.weight], lr=0.5)

    def training_step(self, batch, batch_idx):
        with stepping(self, optimizers_of(self)[0], self.accumulate, max_grad_norm=1e9) as backward:
            backward((self.weight * batch).sum())


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_a_step_is_by_the_mean_of_the_accumulated_losses(tmp_path, accumulate):
    """And not by their sum, which a clipped gradient or Adam would hide."""
    batches = torch.tensor([1.0, 2.0, 4.0, 9.0])
    module = Accumulating(accumulate)
    trainer = one_epoch(tmp_path)
    trainer.fit(module, DataLoader(batches, batch_size=None))
    assert trainer.global_step == 4 // accumulate
    assert module.weight.item() == pytest.approx(-0.5 * batches.sum().item() / accumulate)
