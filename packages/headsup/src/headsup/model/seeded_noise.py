"""Random timesteps and noise that are the same on any number of processes and after a resume."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def generators(seed: int, epoch: int, positions: Iterable[int], device: torch.device | str) -> list[torch.Generator]:
    """A source of random numbers for every sample of a batch, to be drawn from in a fixed order.

    What a sample gets hangs on its place in the run alone, not on the process that has it, nor on what was drawn
    before. OSEDiff seeds all processes alike, so that all draw the same timesteps and noise, and cannot resume.

    Args:
        positions: Positions of the samples in that epoch, over all processes.
        device: Where the numbers will be needed; another kind of device gives other numbers.
    """
    found = []
    for position in positions:
        state = int(np.random.SeedSequence((seed, epoch, position)).generate_state(1, np.uint64)[0])
        found.append(torch.Generator(device).manual_seed(state))
    return found


def draw_timesteps(sources: Sequence[torch.Generator], first: int, end: int) -> Int[Tensor, " b"]:
    """A timestep for every sample, uniformly from `first` to `end` - 1."""
    return torch.cat([torch.randint(first, end, (1,), generator=source, device=source.device) for source in sources])


def draw_shares(sources: Sequence[torch.Generator]) -> Float[Tensor, " b"]:
    """A number for every sample, uniformly from 0 to 1."""
    return torch.cat([torch.rand(1, generator=source, device=source.device) for source in sources])


def draw_noise(sources: Sequence[torch.Generator], like: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Standard normal noise of the shape and type of a batch."""
    drawn = [
        torch.randn(like.shape[1:], generator=source, device=source.device, dtype=like.dtype) for source in sources
    ]
    return torch.stack(drawn)
