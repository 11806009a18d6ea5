"""Schedules that a checkpoint holds as nothing but a step."""

import pytest
import torch

from portraitdata.training.step_schedule import StepSchedule


def line(steps: int, rate: float) -> tuple[torch.optim.Optimizer, StepSchedule]:
    """A rate that falls in a line to nothing, and half of it for a second group."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)]}, {"params": [torch.zeros(1, requires_grad=True)]}]
    groups[1]["lr"] = rate / 2
    optimizer = torch.optim.SGD(groups, lr=rate)
    return optimizer, StepSchedule(optimizer, [lambda step: 1 - step / steps] * 2)


def rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


@pytest.mark.parametrize(("steps", "rate", "wanted"), [(10, 1.0, 0.0), (20, 1.0, 0.5), (40, 3.0, 2.25)])
def test_a_loaded_schedule_has_its_own_length_and_rates_at_the_step_of_the_other(steps, rate, wanted) -> None:
    optimizer, schedule = line(10, 1.0)
    for _ in range(10):
        optimizer.step()
        schedule.step()
    assert rates(optimizer) == [0.0, 0.0]
    longer, again = line(steps, rate)
    longer.load_state_dict(optimizer.state_dict())
    again.load_state_dict(schedule.state_dict())
    assert rates(longer) == again.get_last_lr() == pytest.approx([wanted, wanted / 2])
    longer.step()
    again.step()
    assert rates(longer)[0] == pytest.approx(rate * (1 - 11 / steps))


def test_the_state_of_torchs_own_is_read_by_its_step(recwarn) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    old = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 4)
    for _ in range(4):
        optimizer.step()
        old.step()
    longer, again = line(8, 1.0)
    again.load_state_dict(old.state_dict())
    assert rates(longer) == [0.5, 0.25]
    longer.step()
    again.step()
    assert not recwarn.list
