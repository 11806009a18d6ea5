"""References of a training batch, as the restorer takes them."""

import torch

from headsup.model.reference_attention import References
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.restoration.face_masks import at_latent_resolution


def batch_references(batch: RestorationBatch, factor: int) -> References:
    """The references of a batch, and where in the inputs they belong.

    Args:
        batch: Inputs with their faces and references.
        factor: Pixels along a side of a latent pixel.
    """
    rows = (batch.present & (batch.referenced >= 0)).nonzero().flatten()
    matrix = batch.aligning(batch.reference.shape[-1])[batch.referenced[rows]]
    mask = at_latent_resolution(batch.mask, factor)[rows]
    people = torch.arange(len(rows), device=rows.device)
    return References(batch.reference[rows], people, rows, matrix, mask)
