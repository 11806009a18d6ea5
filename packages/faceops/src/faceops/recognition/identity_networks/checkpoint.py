"""Published checkpoints: read without executing anything, and fill our modules by a table of key names."""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from faceops.weights.reading import check_finite

WRAPPERS = ("state_dict", "net_state_dict", "params_ema", "params", "model")
"""Keys under which checkpoints keep the weights, beside optimizers and counters."""
PREFIXES = ("module.", "model.", "net.")
"""Prefixes of names in training code; what lacks one (a classifier of identities) is no part of the network."""
COUNTER = "num_batches_tracked"
"""Counter in batch normalisation that inference does not need and files may lack."""


@dataclass(frozen=True)
class KeyTable:
    """Names of modules in published weights and here; ``#`` stands for a number.

    Example:
        >>> table = KeyTable((("body.#.res_layer.0", "blocks.#.norm1"), ("bn", "norm")))
        >>> table.ours("body.12.res_layer.0.weight"), table.theirs("blocks.12.norm1.weight"), table.ours("bnx.weight")
        ('blocks.12.norm1.weight', 'body.12.res_layer.0.weight', None)
    """

    rows: tuple[tuple[str, str], ...]
    """Published name, our name."""

    def ours(self, name: str) -> str | None:
        """Our name of a published weight; None if the table has none."""
        return _renamed(name, self.rows)

    def theirs(self, name: str) -> str | None:
        """Published name of one of our weights; None if the table has none."""
        return _renamed(name, tuple((ours, theirs) for theirs, ours in self.rows))


def _renamed(name: str, rows: tuple[tuple[str, str], ...]) -> str | None:
    for before, after in rows:
        found = re.fullmatch(re.escape(before).replace(r"\#", r"(\d+)") + r"(\.\w+)?", name)
        if found:
            *numbers, rest = found.groups(default="")
            parts = after.split("#")
            return parts[0] + "".join(number + part for number, part in zip(numbers, parts[1:], strict=True)) + rest
    return None


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Weights by published name, in float32, without the wrappers and prefixes of training code.

    Args:
        path: A .safetensors file, or one that `torch.save` wrote; of the latter only tensors are read, never code.

    Raises:
        ValueError: If the file holds no weights, or some that are not finite.
        OSError: If it cannot be read.
    """
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path} holds no weights that can be read safely: it is empty, damaged, of another kind, or holds more "
            "than tensors."
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} must hold weights by name, got {type(found).__name__}.")
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    check_finite(tensors, path)
    return {name: value.float() for name, value in without_prefixes(tensors).items() if not name.endswith(COUNTER)}


def without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as the network itself has them.

    Example:
        >>> sorted(without_prefixes({"model.net.stem": torch.zeros(1), "head.kernel": torch.zeros(1)}))
        ['stem']
    """
    tensors = dict(tensors)
    while prefix := next((p for p in PREFIXES if any(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return tensors


def fill(module: nn.Module, tensors: Mapping[str, Tensor], keys: KeyTable) -> None:
    """Put published weights into a module; ValueError if a weight is missing, not known, or of another shape."""
    renamed = {keys.ours(name) or f"({name})": value for name, value in tensors.items()}
    wanted = {name: value for name, value in module.state_dict().items() if not name.endswith(COUNTER)}
    for problem, names in (("lack", wanted.keys() - renamed.keys()), ("have unknown", renamed.keys() - wanted.keys())):
        if names:
            shown = ", ".join(sorted(names)[:3])
            raise ValueError(f"The weights for {type(module).__name__} {problem} {len(names)} tensors: {shown}.")
    for name, value in wanted.items():
        if renamed[name].shape != value.shape:
            raise ValueError(
                f"{keys.theirs(name)} must be {tuple(value.shape)} for {type(module).__name__}, "
                f"got {tuple(renamed[name].shape)}."
            )
    # the counters are the only ones that may be missing
    module.load_state_dict(renamed, strict=False)


def numbered(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Length of a numbered list of modules.

    Args:
        pattern: Beginning of their names, with ``#`` for the number.

    Example:
        >>> numbered({"body.0.a": torch.zeros(1), "body.1.a": torch.zeros(1), "b": torch.zeros(1)}, "body.#.")
        2
    """
    expression = re.compile(re.escape(pattern).replace(r"\#", r"(\d+)"))
    found = {int(match.group(1)) for name in tensors if (match := expression.match(name))}
    return max(found, default=-1) + 1
