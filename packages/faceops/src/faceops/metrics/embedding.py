"""Embeddings of faces for the metrics: without gradients, in the network's own precision."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def embeddings(network: nn.Module, faces: Float[Tensor, "n c s s"]) -> Float[Tensor, "n d"]:
    """Embeddings of length one, in float32.

    Autocast is off: the angle between two alike faces is lost in the rounding of half precision.

    Args:
        network: Makes vectors (n, d) of aligned faces; used in the mode that it is in.
        faces: As the network wants them.
    """
    parameter = next(network.parameters(), None)
    dtype = torch.float32 if parameter is None else parameter.dtype
    if not len(faces):
        # Not every network takes an empty batch, and no mean needs it to.
        return torch.zeros(0, 1, device=faces.device)
    with torch.autocast(faces.device.type, enabled=False):
        return F.normalize(network(faces.to(dtype)).float(), dim=1)


def frozen(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, its weights without gradients."""
    return network.eval().requires_grad_(False)
