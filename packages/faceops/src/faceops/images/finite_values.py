"""A look at the values of pictures that come from a program rather than from a file."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def check_finite_values(what: str, *values: Tensor | NDArray[np.floating] | None) -> None:
    """Refuse pictures with values that are not finite: one such pixel would spread over the whole result.

    Args:
        what: What the sentence calls them.
        values: Pixels or opacity; None for what is not there.

    Raises:
        ValueError: If there are some.

    Example:
        >>> check_finite_values("The picture", np.array([0.5, np.nan]))
        Traceback (most recent call last):
        ...
        ValueError: The picture has values that are not finite (1 of 2): give numbers from 0 to 1.
    """
    for array in values:
        if array is None:
            continue
        finite = array.isfinite() if isinstance(array, Tensor) else np.isfinite(array)
        if not finite.all():
            total = finite.numel() if isinstance(finite, Tensor) else finite.size
            broken = total - int(finite.sum())
            raise ValueError(
                f"{what} has values that are not finite ({broken:,} of {total:,}): give numbers from 0 to 1."
            )
