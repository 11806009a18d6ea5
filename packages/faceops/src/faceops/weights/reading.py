"""A look at weights that are read, before a network is filled with them."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


def check_finite(tensors: Mapping[str, object], source: Path | str) -> None:
    """Refuse weights with values that are not finite: what they compute is black dots, or nothing.

    Args:
        tensors: Weights by name; what is no tensor is not looked at.
        source: File or folder that they come from.

    Raises:
        ValueError: If a value is infinite or not a number.
    """
    read = {name: value for name, value in tensors.items() if isinstance(value, Tensor) and not value.is_meta}
    broken = [name for name, value in read.items() if not value.isfinite().all()]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise ValueError(
            f"{source} holds weights that are not finite, in {broken[0]}{more}: the training that wrote them failed, "
            "or the file is damaged; use another file."
        )
