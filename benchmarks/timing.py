"""CPU time, bytes kept for the backward pass, and what machine it was."""

import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
import torchvision
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


def machine() -> dict[str, str]:
    """Facts that a measurement depends on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "CPU": models[0] if models else platform.processor() or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "torch": str(torch.__version__),
        "torchvision": torchvision.__version__,
    }
