"""What the machine allows: how fast it multiplies and moves bytes, measured in the run of what is compared to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

TURNS = 5
SIDE = 1024
"""Of the matrices that are multiplied."""
COPIED = 2**26
"""Bytes that are copied: more than caches hold."""

Clock = Callable[[], float]
"""`time.process_time` for CPU seconds of all threads, `time.perf_counter` for the wall clock."""


@dataclass(frozen=True)
class MachineLimits:
    """Speeds that nothing exceeds."""

    multiplications: float
    """Multiply-accumulates a second."""
    moved: float
    """Bytes read and written a second."""

    def seconds(self, multiplications: float, moved: float = 0.0) -> float:
        """The least that so many multiply-accumulates and bytes take, each done while the other is.

        Example:
            >>> MachineLimits(2e9, 1e9).seconds(1e9), MachineLimits(2e9, 1e9).seconds(1e9, 3e9)
            (0.5, 3.0)
        """
        return max(multiplications / self.multiplications, moved / self.moved)

    def remark(self, second: str = "CPU second") -> str:
        """A sentence for the note of a table.

        Example:
            >>> MachineLimits(25e9, 1.25e10).remark()
            'The limit is by 25.0 G multiply-accumulates of a matrix product or 12.5 GB copied in a CPU second here.'
        """
        products, copies = self.multiplications / 1e9, self.moved / 1e9
        return (
            f"The limit is by {products:.1f} G multiply-accumulates of a matrix product or {copies:.1f} GB copied in a "
            f"{second} here."
        )


def machine_limits(
    clock: Clock = time.process_time, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> MachineLimits:
    """Measure the product of square matrices and the copy of a large tensor.

    Args:
        clock: What a second is.
        dtype: Of the matrices.
        device: Where they are.
    """
    a, b = torch.ones(2, SIDE, SIDE, dtype=dtype, device=device)
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return MachineLimits(
        SIDE**3 / least_seconds(lambda: a @ b, clock, device),
        2 * COPIED / least_seconds(lambda: target.copy_(source), clock, device),
    )


def least_seconds(run: Callable[[], object], clock: Clock = time.process_time, device: str = "cpu") -> float:
    """Of a few turns, after one that is not counted."""
    taken = []
    for _ in range(TURNS + 1):
        start = clock()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - start)
    return min(taken[1:])
