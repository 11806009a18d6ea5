"""Selection of the photographs with enough pixels to train or test on."""

import warnings

import numpy as np
from numpy.typing import NDArray

from portraitdata.exemplars.index import Split
from portraitdata.restoration.index.portrait_index import PortraitIndex


class SmallPhotographs(UserWarning):
    """Photographs that are too small and were left out."""


def large_enough(index: PortraitIndex, split: Split, size: int) -> NDArray[np.int64]:
    """Numbers of the photographs of a split whose sides have at least `size` pixels.

    Warns once, with a count, if some are left out.

    Raises:
        ValueError: If none is left.
    """
    numbers = index.numbers(split)
    if len(numbers) == 0:
        raise ValueError(f"The index of {index.root} has no photographs in the split {split!r}.")
    kept = [number for number in numbers.tolist() if min(index.size(number)) >= size]
    if not kept:
        raise ValueError(
            f"All {len(numbers)} photographs of {index.root} have a side of fewer than {size} pixels; give a smaller "
            'size, or small="enlarge".'
        )
    if len(kept) < len(numbers):
        warnings.warn(
            SmallPhotographs(
                f"{len(numbers) - len(kept)} of {len(numbers)} photographs of {index.root} are left out: one side has "
                f"fewer than {size} pixels."
            ),
            stacklevel=3,
        )
    return np.array(kept, np.int64)
