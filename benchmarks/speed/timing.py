"""CPU time and memory: of a run, of a process, and of what is kept between forward and backward."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def cpu_seconds(runs: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median CPU time of each of `runs`, all threads together, in seconds.

    They take turns, so that another program on the machine disturbs all of them alike; the first turn is not counted.
    """
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats + 1):
        for run, taken in zip(runs, times, strict=True):
            start = time.process_time()
            run()
            taken.append(time.process_time() - start)
    return [median(taken[1:]) for taken in times]


def peak_bytes() -> int:
    """Most memory that this process has held, what it began with included.

    Linux says it in VmHWM; `resource` would begin with the most of the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource  # which Windows lacks

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (peak,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def gradients(forward: Callable[[], Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Forward and backward of the sum of what `forward` gives."""
    return torch.autograd.grad(forward().sum(), inputs)


def kept_bytes(forward: Callable[[], Tensor]) -> int:
    """Memory that autograd keeps from `forward` for the backward pass, every storage counted once."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        out = forward()
    assert out.requires_grad
    return sum(storages.values())
