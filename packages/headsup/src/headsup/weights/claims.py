"""What a weights file says of itself, compared with its tensors before a network of the size that it says is built."""

from collections.abc import Mapping

import torch
from torch import Tensor

from headsup.model.guidance import Branch
from headsup.model.settings import RestorerSettings

BRANCH = "guidance.branch."
"""Prefix of the guiding branch's parameters in a restorer."""


def check_claims(settings: RestorerSettings, tensors: Mapping[str, Tensor], source: str) -> None:
    """Refuse settings that are not those of the tensors beside them.

    Args:
        source: File that both are from.

    Raises:
        ValueError: If the rank of the adapters, or the size of the guiding branch, is another.
    """
    found = sorted({tensor.shape[0] for name, tensor in tensors.items() if ".lora_A." in name and tensor.ndim})
    wanted = [settings.rank] if settings.trained == "adapters" else []
    if found != wanted:
        raise ValueError(
            f"The header of {source} says that {settings.trained} were trained, with rank {settings.rank}, but the "
            f"adapters in it have the ranks {found}: it is damaged, or not what it says."
        )
    branch = {name: tuple(tensor.shape) for name, tensor in tensors.items() if name.startswith(BRANCH)}
    if branch != branch_shapes(settings):
        raise ValueError(
            f"The header of {source} says guidance {settings.guidance} and guidance_blocks {settings.guidance_blocks}, "
            "but the tensors in it are those of another branch: it is damaged, or not what it says."
        )


def branch_shapes(settings: RestorerSettings) -> dict[str, tuple[int, ...]]:
    """Shapes of the guiding branch's parameters, by their names in a restorer; nothing is allocated."""
    if not settings.guidance:
        return {}
    with torch.device("meta"):
        branch = Branch(settings.guidance, settings.guidance_blocks, settings.reference_details)
    return {f"{BRANCH}{name}": tuple(parameter.shape) for name, parameter in branch.named_parameters()}
