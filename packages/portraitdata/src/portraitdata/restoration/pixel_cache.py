"""Decoded pixels that are kept in memory, as many as fit."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

GIGABYTE = 10**9


class PixelCache:
    """Arrays of bytes by key; the least recently used go when a new one needs their place.

    Every process that has one keeps its own arrays: a pickled copy is empty.

    Args:
        gigabytes: Bytes of arrays that are kept, in units of 10^9; 0 keeps none.

    Raises:
        ValueError: If the number is negative.

    Example:
        >>> cache = PixelCache(2e-9)
        >>> [cache.get(key, lambda: np.zeros(1, np.uint8)).size for key in "abc"], cache.keys
        ([1, 1, 1], ('b', 'c'))
    """

    def __init__(self, gigabytes: float) -> None:
        if not gigabytes >= 0:
            raise ValueError(f"A cache of decoded pixels has a size of 0 gigabytes or more, got {gigabytes}.")
        self.gigabytes = gigabytes
        self._kept: OrderedDict[Hashable, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The array of a key, made if it is not kept; not to be written to."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        limit = self.gigabytes * GIGABYTE
        if made.nbytes <= limit:
            self._kept[key] = made
            self._bytes += made.nbytes
            while self._bytes > limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """Keys kept, the least recently used first."""
        return tuple(self._kept)

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[float]]:
        return PixelCache, (self.gigabytes,)
