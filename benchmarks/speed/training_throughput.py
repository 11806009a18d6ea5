"""Training of HIME (small) at (16, 8), files to optimizer step: torchvision's operator on the CPU against ours."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.machine_limits import Clock, machine_limits
from hime.blocks import deformable
from hime.blocks.deformable import deform_conv2d, deform_conv2d_by_torchvision
from hime.evaluation.profile_report import profile_network
from hime.losses.charbonnier import charbonnier_loss
from hime.losses.correlation import correlation_loss
from hime.network import HIME
from portraitdata.exemplars.datamodule import ExemplarBatch
from portraitdata.exemplars.synthetic_datamodule import SyntheticExemplarDataModule

BATCH = 16
STEPS = 8
"""Steps timed of each operator, in turns, after two that are not."""


def measure(suite: Suite) -> list[Table]:
    """Images a second of a training step with its data, by wall clock and by CPU time."""
    with TemporaryDirectory() as folder:
        batches = endless(SyntheticExemplarDataModule(Path(folder), batch_size=BATCH))
        step = training_step()
        operators = {"torchvision": deform_conv2d_by_torchvision, "hime": deform_conv2d}
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in operators}
        for _ in range(STEPS + 2):
            for name, operator in operators.items():
                start = time.perf_counter(), time.process_time()
                step(next(batches), operator)
                taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    rows: list[tuple[str, float, float]] = []
    for name, seconds in taken.items():
        wall, cpu = (median(column) for column in zip(*seconds[2:], strict=True))
        rows.append((name, BATCH / wall, BATCH / cpu))
    rows.append(("limit", limit(time.perf_counter), limit(time.process_time)))
    columns = "deformable convolution", "images a second", "images a CPU second"
    title = f"Training of HIME (small) at (16, 8), data included, batch {BATCH}, 3 references, bfloat16, L_rec + L_cor"
    note = (
        "The limit is by the convolutions' multiply-accumulates, once forward and twice backward, at the speed of a "
        "matrix product in bfloat16 or float32, whichever is faster here."
    )
    return [Table("training_throughput", title, columns, tuple(rows), columns[1:2], "images a second", note)]


def limit(clock: Clock) -> float:
    """Images a second, if nothing but the convolutions took time."""
    rates = [machine_limits(clock, dtype).multiplications for dtype in (torch.bfloat16, torch.float32)]
    return max(rates) / (3 * profile_network(HIME(scale=8), 16, references=3).macs)


def endless(data: SyntheticExemplarDataModule) -> Iterator[ExemplarBatch]:
    """Training batches, epoch after epoch."""
    data.setup("fit")
    loader = data.train_dataloader()
    while True:
        for batch in loader:
            yield data.on_after_batch_transfer(batch, 0)


def training_step() -> Callable[[ExemplarBatch, Callable[..., Tensor]], None]:
    """A step of the reconstruction-oriented recipe with the operator given."""
    torch.manual_seed(0)
    network = HIME(scale=8).to(memory_format=torch.channels_last)
    # Off the grid, as in training; it starts at zero.
    torch.nn.init.normal_(network.get_parameter("alignment.estimator.head.weight"), std=0.02)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step(batch: ExemplarBatch, operator: Callable[..., Tensor]) -> None:
        with patch.object(deformable, "deform_conv2d", operator):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                sr = network(batch.lr.contiguous(memory_format=torch.channels_last), batch.references, batch.present)
            loss = charbonnier_loss(sr.float(), batch.hr) + correlation_loss(sr.float(), batch.hr)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    return step
