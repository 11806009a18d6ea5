"""Bytes that the worker processes of a data loader share."""

import math
import mmap

import numpy as np
from numpy.typing import NDArray


class SharedArray:
    """Array of bytes, zero at first, that this process and those forked from it read and write together.

    Memory is taken only for what is written. A pickled copy, as in a spawned process, starts at zero on its own.

    Raises:
        MemoryError: If the system does not give that much.

    Example:
        >>> SharedArray(2, 3).values.tolist()
        [[0, 0, 0], [0, 0, 0]]
    """

    values: NDArray[np.uint8]
    """The array."""

    def __init__(self, *shape: int) -> None:
        count = math.prod(shape)
        try:
            # Not torch's shared memory, which lives in /dev/shm and is killed by the small one of a container.
            memory = mmap.mmap(-1, max(count, 1))
        except OSError as error:
            raise MemoryError(f"The system does not give {count / 2**30:.1f} GiB of shared memory: {error}.") from error
        self.values = np.frombuffer(memory, np.uint8, count).reshape(shape)

    def __reduce__(self) -> tuple[type["SharedArray"], tuple[int, ...]]:
        return SharedArray, self.values.shape
