"""Weights files written whole or not at all, after a look at every value."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from faceops.atomic_files import replacing


def write_weights(tensors: Mapping[str, Tensor], metadata: dict[str, str], path: Path, half: bool = False) -> None:
    """Write weights and their header; the file appears complete or not at all.

    Args:
        metadata: Header, see `faceops.weights.header.header_metadata`.
        path: File to write; an existing one is replaced.
        half: Store float16: half the size, 11 bits of mantissa.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    stored = {name: storable(name, tensor, half) for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(stored, metadata))


def storable(name: str, tensor: Tensor, half: bool) -> Tensor:
    """Tensor as it is stored: on the CPU, contiguous, in float16 if wanted, else in float32.

    Raises:
        ValueError: If a value is not finite or does not fit.
    """
    if not tensor.isfinite().all():
        raise ValueError(
            f"{name} holds values that are not finite: these weights would be useless, so none are written."
        )
    largest = tensor.abs().max().item() if tensor.numel() else 0.0
    limit = torch.finfo(torch.float16).max
    if half and largest > limit:
        raise ValueError(f"{name} reaches {largest:.4g}, more than float16 holds ({limit:.0f}); save without `half`.")
    return tensor.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
