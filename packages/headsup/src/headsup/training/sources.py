"""Random numbers of a training step."""

import torch
from lightning.pytorch import LightningModule

from headsup.model.seeded_noise import generators
from portraitdata.loading.resumption import process_of


def sample_sources(module: LightningModule, seed: int, batch_idx: int, count: int) -> list[torch.Generator]:
    """A source of random numbers for each sample of a batch, see `headsup.model.seeded_noise.generators`.

    Lightning's checkpoints hold no random state, and all its processes begin with the same one. Samples are numbered as
    `portraitdata.loading.sampler.SeededSequence` deals them out: two processes draw what one with the doubled batch
    does.

    Args:
        module: Module in training.
        seed: Seed of the run.
        batch_idx: Number of the batch in its epoch.
        count: Samples in it.
    """
    rank, world_size = process_of(module.trainer)
    positions = [(batch_idx * count + index) * world_size + rank for index in range(count)]
    return generators(seed, module.current_epoch, positions, module.device)
