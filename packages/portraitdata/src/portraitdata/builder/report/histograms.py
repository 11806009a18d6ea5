"""Histograms as SVG that takes its colours from the page."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 26, 34
"""Margins of the drawing, in its units."""

BINS = 32


def histogram(
    title: str,
    unit: str,
    kept: Float[np.ndarray, " n"],
    dropped: Float[np.ndarray, " m"],
    lines: Sequence[tuple[float, str]] = (),
    logarithmic: bool = False,
) -> str:
    """How often values occur: a figure, bars of what was dropped on bars of what was kept, and marked values.

    Args:
        title: What is counted.
        unit: What stands below the axis.
        kept: Values; those that are not finite are left out, as are those below zero on a logarithmic axis.
        dropped: Values of what was dropped.
        lines: Values to mark, as thresholds, with what they are called.
        logarithmic: Make bins of equal ratio instead of equal width.

    Returns:
        A ``<figure>``; without any value it says so.

    Example:
        >>> histogram("Sides", "pixels", np.array([1.0, 2.0]), np.array([4.0])).count("<rect")
        3
    """
    kept, dropped = (_usable(values, logarithmic) for values in (kept, dropped))
    every = np.concatenate((kept, dropped))
    heading = f"<figcaption><b>{escape(title)}</b>"
    if not len(every):
        return f'<figure class="chart">{heading}<br>There are no values yet.</figcaption></figure>'
    edges = _edges(np.concatenate((every, [value for value, _ in lines])), logarithmic)
    counts = [np.histogram(values, edges)[0] for values in (kept, dropped)]
    most = int((counts[0] + counts[1]).max())
    across = _Axis(edges[0], edges[-1], logarithmic)
    parts = [_bars(counts, edges, most, across, unit), _ticks(across, unit, most), *_marks(lines, across)]
    low, middle, high = np.percentile(every, (5, 50, 95))
    summary = f"{len(kept)} kept" + (f", {len(dropped)} dropped" if len(dropped) else "")
    summary += f"; median {_short(middle)}, nine of ten between {_short(low)} and {_short(high)}"
    label = escape(f"{title}: {summary}", quote=True)
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f'<figure class="chart">{heading}<br>{escape(summary)}</figcaption>{drawing}</figure>'


class _Axis:
    """From values to where they are across the drawing."""

    def __init__(self, low: float, high: float, logarithmic: bool) -> None:
        self.low, self.high, self._logarithmic = low, high, logarithmic

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(x) if self._logarithmic else x for x in (self.low, self.high, value))
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[float]:
        """Round values, four to eight of them."""
        if self._logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
            inside = [value for value in found if self.low <= value <= self.high]
            return inside[:: max(1, math.ceil(len(inside) / 8))]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next((factor for factor in (5, 2) if (self.high - self.low) / (step * factor) >= 4), 1)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _usable(values: Float[np.ndarray, " n"], logarithmic: bool) -> Float[np.ndarray, " k"]:
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    return finite[finite > 0] if logarithmic else finite


def _edges(values: Float[np.ndarray, " n"], logarithmic: bool) -> Float[np.ndarray, " k"]:
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        low, high = (low / 1.1, high * 1.1) if high / low < 1.2 else (low, high)
        return np.geomspace(low, high, BINS + 1)
    margin = max(abs(high) * 0.02, 0.01) if high - low < 1e-9 else 0.0
    return np.linspace(low - margin, high + margin, BINS + 1)


def _bars(counts: Sequence[np.ndarray], edges: Float[np.ndarray, " k"], most: int, across: _Axis, unit: str) -> str:
    full, parts = HEIGHT - TOP - BOTTOM, []
    for number in range(len(edges) - 1):
        start, end = across(edges[number]), across(edges[number + 1])
        below = 0
        for name, count in (("kept", int(counts[0][number])), ("dropped", int(counts[1][number]))):
            if count:
                tall, top = count / most * full, HEIGHT - BOTTOM - (below + count) / most * full
                what = f"{_short(edges[number])} to {_short(edges[number + 1])} {unit}: {count} {name}"
                parts.append(
                    f'<rect class="{name}" x="{start:.1f}" y="{top:.1f}" width="{max(end - start - 0.8, 0.5):.1f}" '
                    f'height="{tall:.1f}"><title>{escape(what)}</title></rect>'
                )
            below += count
    return "".join(parts)


def _ticks(across: _Axis, unit: str, most: int) -> str:
    floor = HEIGHT - BOTTOM
    parts = [f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}"/>']
    for value in across.ticks():
        parts.append(f'<text x="{across(value):.1f}" y="{floor + 14}" text-anchor="middle">{_short(value)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(unit)}</text>')
    parts.append(f'<text x="{LEFT - 5}" y="{TOP + 4}" text-anchor="end">{most}</text>')
    parts.append(f'<text x="{LEFT - 5}" y="{floor}" text-anchor="end">0</text>')
    return "".join(parts)


def _marks(lines: Sequence[tuple[float, str]], across: _Axis) -> list[str]:
    parts = []
    for number, (value, name) in enumerate(sorted(lines)):
        x = across(value)
        anchor, shift = ("end", -4) if x > (WIDTH + LEFT) / 2 else ("start", 4)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" y1="{TOP - 16 + 12 * number}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="mark" x="{x + shift:.1f}" y="{TOP - 8 + 12 * number}" text-anchor="{anchor}">'
            f"{escape(name)} {_short(value)}</text>"
        )
    return parts


def _short(value: float) -> str:
    """A number in few digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
