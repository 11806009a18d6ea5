"""Memory that a training pass keeps for `backward`, counted without computing anything.

Tensors are fakes that have shapes and types but no memory, so nothing here needs the hardware that is asked about.
Counted is what autograd saves; what a kernel needs for the moment comes on top.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

Storages = dict[int, torch.UntypedStorage]
"""Memory by its identity: tensors that share it are counted once. Held, so that no identity is given out twice."""


@dataclass(frozen=True)
class Activations:
    """Bytes that one pass of one image keeps for `backward`."""

    kept: int
    """Without checkpointing."""
    checkpointed: int
    """With checkpointing: the inputs of the blocks, and what lies between them."""
    recomputed: int
    """Bytes that the largest block keeps while it is computed again, on top of ``checkpointed``."""


class ActivationRecorder:
    """Notes what a forward pass saves, between the blocks that checkpointing computes again and within them.

    Blocks within blocks, as the middle one of diffusers' autoencoder has, are taken as part of the outer one.

    Args:
        weights: Tensors that are in memory anyway.
    """

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.weights = storages(weights)
        self.between: Storages = {}
        self.inputs: Storages = {}
        self.blocks: list[Storages] = []
        self._within_block = False

    def recording(self) -> saved_tensors_hooks:
        """Record a forward pass; its checkpointed blocks must be run by `run_block`."""
        return self._into(self.between)

    def run_block(self, block: Callable[..., Any], *inputs: object) -> Any:  # noqa: ANN401 - what the block gives
        """Run a block; takes the place of `torch.utils.checkpoint.checkpoint`."""
        if self._within_block:
            return block(*inputs)
        self.inputs |= storages(value for value in inputs if isinstance(value, Tensor))
        within: Storages = {}
        self.blocks.append(within)
        self._within_block = True
        with self._into(within):
            result = block(*inputs)
        self._within_block = False
        return result

    def _into(self, place: Storages) -> saved_tensors_hooks:
        def note(tensor: Tensor) -> Tensor:
            place.update(storages([tensor]))
            return tensor

        return saved_tensors_hooks(note, lambda tensor: tensor)

    def result(self) -> Activations:
        """Recorded bytes."""
        everything = dict(self.between)
        for within in self.blocks:
            everything |= within
        boundary = self.between | self.inputs
        largest = max((self._bytes(within, boundary) for within in self.blocks), default=0)
        return Activations(self._bytes(everything), self._bytes(boundary), largest)

    def _bytes(self, held: Storages, besides: Mapping[int, torch.UntypedStorage] | None = None) -> int:
        counted = held.keys() - self.weights.keys() - (besides or {}).keys()
        return sum(held[key].nbytes() for key in counted)


def storages(tensors: Iterable[Tensor]) -> Storages:
    """Memory of tensors, by its identity."""
    found = (tensor.untyped_storage() for tensor in tensors)
    return {storage._cdata: storage for storage in found}  # fakes have no address to tell them apart by


class NormalizationInFloat32(TorchFunctionMode):
    """Normalises in float32, as autocast does on CUDA and not on CPU: three times the memory of bfloat16."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own signature
        kwargs = kwargs or {}
        if func in (F.group_norm, F.layer_norm):
            args = tuple(in_float32(value) for value in args)
            kwargs = {name: in_float32(value) for name, value in kwargs.items()}
        return func(*args, **kwargs)


def in_float32(value: Any) -> Any:  # noqa: ANN401 - tensors are converted, all else is passed on
    """A tensor in float32; anything else as it is."""
    return value.float() if isinstance(value, Tensor) else value


@contextmanager
def bfloat16_autocast_of_cuda() -> Iterator[None]:
    """Mixed precision with the types that it has on CUDA, for fakes of CPU tensors.

    Where there is no CUDA device, torch has its autocast switched off even for fakes.
    """
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False), NormalizationInFloat32():
        yield


def become_fake(module: nn.Module) -> None:
    """Give a module of the meta device fake tensors; to be called within a `FakeTensorMode`.

    Mixed precision and checkpointing know of no meta device, but take fakes for tensors of the CPU.
    """
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            fake = torch.empty(parameter.shape, dtype=parameter.dtype)
            part.register_parameter(name, nn.Parameter(fake, parameter.requires_grad))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype))
