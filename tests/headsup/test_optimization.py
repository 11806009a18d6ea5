"""The cycle of the learning rate, against torch's."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from headsup.training.optimization import OneCycle


@pytest.mark.parametrize(("steps", "warmup"), [(40, 0.1), (33, 0.3), (7, 0.5), (20, 0.0)])
def test_the_cycle_is_torchs_and_goes_on_after_its_end(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = OneCycleLR(optimizer, 1.0, steps, pct_start=warmup, cycle_momentum=False)
    factor = OneCycle(steps, warmup)
    for step in range(steps):
        assert factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-12)
        optimizer.step()
        reference.step()
    assert factor(3 * steps) == factor(steps - 1) == 1 / 25e4
