"""The fastest way through a chain of segments within a stated memory.

A route is cut into legs. Between two legs the whole map is stored, which takes memory; within a leg nothing is, and for
every group norm on the way all tiles run once more from the beginning of the leg, which takes time. Every leg is
either possible or not, and has its price, whatever the others are: the best route is a shortest path.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headsup.tiling.chain import Segment, Span
from headsup.tiling.memory import FIXED, check_memory, segment_bytes, sizes

TILES = (512, 384, 256, 192, 128, 96, 64, 32, 16)
"""Sides of a tile, in pixels of the map that a leg ends with."""


@dataclass(frozen=True)
class Leg:
    """Segments that run tile by tile, from one stored map to the next."""

    first: int
    """First segment."""
    last: int
    """The segment behind the last one."""
    tile: int
    """Side of a tile, in pixels of the map it ends with."""
    memory: int
    """Bytes it takes, both maps included."""
    macs: float
    """Multiplications, repetitions and overlaps of tiles included."""


def best_route(chain: Sequence[Segment], height: int, width: int, element: int, memory: float) -> list[Leg]:
    """Legs with the fewest multiplications, none of which takes more than the memory.

    Args:
        element: Bytes of a value.

    Raises:
        ValueError: If no route takes so little.
    """
    best: list[tuple[float, list[Leg]] | None] = [(0.0, [])] + [None] * len(chain)
    for last in range(1, len(chain) + 1):
        for first in range(last):
            start = best[first]
            leg = None if start is None else fastest_leg(chain, first, last, (height, width), element, memory)
            if start is None or leg is None:
                continue
            found, price = best[last], start[0] + leg.macs
            if found is None or price < found[0]:
                best[last] = price, [*start[1], leg]
    end = best[-1]
    if end is None:
        check_memory(least_memory(chain, height, width, element), memory)
        raise AssertionError("the route that takes least is a route")
    return end[1]


def least_memory(chain: Sequence[Segment], height: int, width: int, element: int) -> int:
    """Bytes of the route that takes least."""
    best = [0] + [-1] * len(chain)
    for last in range(1, len(chain) + 1):
        best[last] = min(
            max(best[first], leg_of(chain, first, last, (height, width), element, TILES[-1]).memory)
            for first in range(last)
        )
    return best[-1]


def fastest_leg(
    chain: Sequence[Segment], first: int, last: int, size: tuple[int, int], element: int, memory: float
) -> Leg | None:
    """The leg with the largest tiles that fit, if any do."""
    maps = sizes(chain, *size)
    if FIXED + element * (stored_values(chain, first, maps) + stored_values(chain, last, maps)) > memory:
        return None
    tiles = dict.fromkeys(min(tile, max(maps[last])) for tile in TILES)
    legs = (leg_of(chain, first, last, size, element, tile) for tile in tiles)
    return next((leg for leg in legs if leg.memory <= memory), None)


def leg_of(chain: Sequence[Segment], first: int, last: int, size: tuple[int, int], element: int, tile: int) -> Leg:
    """Memory and time of a leg.

    Args:
        last: The one behind its last.
        tile: Side of a tile at the end of the leg.
    """
    maps = sizes(chain, *size)
    stored = stored_values(chain, first, maps) + stored_values(chain, last, maps)
    working, macs = 0, 0.0
    for stop in stops(chain, first, last):
        rows, columns = (
            inner_spans(chain[first:stop], [m[axis] for m in maps[first : stop + 1]], tile) for axis in (0, 1)
        )
        count = math.prod(maps[stop]) / (extent(rows[-1]) * extent(columns[-1]))
        for index, segment in enumerate(chain[first:stop]):
            before = (extent(rows[index]), extent(columns[index]))
            pixels_out = segment.scaled(before[0]) * segment.scaled(before[1])
            working = max(working, segment_bytes(segment, math.prod(before), pixels_out, element))
            macs += count * pixels_out * segment.macs
    return Leg(first, last, tile, FIXED + stored * element + working, macs)


def stops(chain: Sequence[Segment], first: int, last: int) -> Iterator[int]:
    """Where the passes of a leg end: before every group norm within, and at its end."""
    yield from (index for index in range(first + 1, last) if chain[index].norm is not None)
    yield last


def stored_values(chain: Sequence[Segment], index: int, maps: Sequence[tuple[int, int]]) -> int:
    """Values of the state before a segment."""
    if index == len(chain):
        return chain[-1].channels[1] * math.prod(maps[index])
    return (chain[index].channels[0] + chain[index].skips[0]) * math.prod(maps[index])


def spans(chain: Sequence[Segment], lengths: Sequence[int], end: Span) -> list[Span]:
    """Pixels needed before every segment, along one axis, for a span of what the last one gives.

    Args:
        lengths: Pixels before every segment and after the last.
        end: Span of the result.
    """
    found = [end]
    for segment, length in zip(reversed(chain), reversed(lengths[:-1]), strict=True):
        found.append(segment.needed(found[-1], length))
    return found[::-1]


def inner_spans(chain: Sequence[Segment], lengths: Sequence[int], tile: int) -> list[Span]:
    """The same for a tile inside the picture, which needs most."""
    start = tile if lengths[-1] > 2 * tile else 0
    return spans(chain, lengths, (start, min(start + tile, lengths[-1])))


def extent(span: Span) -> int:
    """Pixels of a span."""
    return span[1] - span[0]
