"""References of a training batch, as the restorer takes them."""

import torch

from faceops.geometry.alignment import alignment_matrix
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
    landmarks = batch.faces.landmarks[batch.referenced[rows]].float()
    matrix = alignment_matrix(landmarks, batch.reference.shape[-1])
    mask = at_latent_resolution(batch.mask, factor)[rows]
    people = torch.arange(len(rows), device=rows.device)
    return References(batch.reference[rows], people, rows, matrix, mask)
