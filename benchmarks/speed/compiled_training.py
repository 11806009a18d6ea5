"""Training steps of HIME (small) at (16, 8) with and without torch.compile (``model.init_args.compiled``)."""

import resource
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.compiler.config
from torch import Tensor

from benchmarks.reporting.table import Suite, Table
from hime.losses.charbonnier import charbonnier_loss
from hime.network import HIME, SuperResolution

BATCH, REFERENCES = 4, 3
STEPS = 8
"""Steps timed of each, in turns, after the first, which compiles."""


def measure(suite: Suite) -> list[Table]:
    """CPU time of a step and of the first one, which compiles in this process, whatever an earlier one has kept."""
    network = HIME(scale=8).to(memory_format=torch.channels_last)
    runs = {"as it is": network.explain, "compiled": torch.compile(network.explain)}
    with torch.compiler.config.patch(force_disable_caches=True):  # type: ignore[attr-defined]
        taken = {name: [step_seconds(network, run)] for name, run in runs.items()}
    for _ in range(STEPS):
        for name, run in runs.items():
            taken[name].append(step_seconds(network, run))
    rows = tuple((name, 1000 * median(seconds[1:]), seconds[0]) for name, seconds in taken.items())
    columns = "network", "CPU ms a step", "CPU s of the first step"
    title = f"A training step of HIME (small) at (16, 8), batch {BATCH}, {REFERENCES} references, float32, L_rec"
    return [Table("compiled_training", title, columns, rows, columns[1:2], "CPU ms a step")]


def step_seconds(network: HIME, explain: Callable[[Tensor, Tensor, Tensor], SuperResolution]) -> float:
    """CPU time of a forward and a backward, with that of the processes that compile."""
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(BATCH, 3, 16, 16, generator=generator).contiguous(memory_format=torch.channels_last)
    references = torch.rand(BATCH, REFERENCES, 3, 128, 128, generator=generator)
    hr = torch.rand(BATCH, 3, 128, 128, generator=generator)
    present = torch.ones(BATCH, REFERENCES, dtype=torch.bool)
    start = spent()
    network.zero_grad()
    charbonnier_loss(explain(lr, references, present).image, hr).backward()
    return spent() - start


def spent() -> float:
    """CPU seconds of this process and of those that it has ended."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + times.ru_utime + times.ru_stime
