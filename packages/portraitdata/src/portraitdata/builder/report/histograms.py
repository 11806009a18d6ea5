"""Histograms that matplotlib draws, as SVG that takes its colours from the page."""

import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, LETTER = 460, 230, 11
"""Of the drawing, and height of its letters, in units of it."""

BINS = 32

INKS = {"kept": "#2a7f62", "dropped": "#c9cfd4", "mark": "#b3541e", "soft": "#5c6873", "card": "#fefefe"}
"""Placeholders for the colours of the page's style, which differ between light and dark."""


def histogram(
    title: str,
    unit: str,
    kept: Float[np.ndarray, " n"],
    dropped: Float[np.ndarray, " m"],
    lines: Sequence[tuple[float, str]] = (),
    logarithmic: bool = False,
) -> str:
    """Histogram as a figure: bars of dropped images on bars of kept ones, and marked values.

    Args:
        unit: What stands below the axis.
        kept: Values; those that are not finite are left out, as are those below zero on a logarithmic axis.
        lines: Values to mark, as thresholds, with what they are called.
        logarithmic: Make bins of equal ratio instead of equal width.

    Returns:
        A ``<figure>``; without any value it says so.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    kept, dropped = (_usable(values, logarithmic) for values in (kept, dropped))
    every = np.concatenate((kept, dropped))
    heading = f"<figcaption><b>{escape(title)}</b>"
    if not len(every):
        return f'<figure class="chart">{heading}<br>There are no values yet.</figcaption></figure>'
    edges = _edges(np.concatenate((every, [value for value, _ in lines])), logarithmic)
    low, middle, high = np.percentile(every, (5, 50, 95))
    summary = f"{len(kept)} kept" + (f", {len(dropped)} dropped" if len(dropped) else "")
    summary += f"; median {_short(middle)}, nine of ten between {_short(low)} and {_short(high)}"
    label = escape(f"{title}: {summary}", quote=True)
    counts = [np.histogram(values, edges)[0] for values in (kept, dropped)]
    shapes = _drawn(title, unit, edges, counts, lines, logarithmic)
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{shapes}</svg>'
    return f'<figure class="chart">{heading}<br>{escape(summary)}</figcaption>{drawing}</figure>'


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


def _drawn(
    title: str,
    unit: str,
    edges: Float[np.ndarray, " k"],
    counts: Sequence[np.ndarray],
    lines: Sequence[tuple[float, str]],
    logarithmic: bool,
) -> str:
    """Content of the ``<svg>`` element; equal bytes for equal values, and nothing to load."""
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "A report is drawn by matplotlib, which is not installed; `pip install 'portraitdata[report]'` installs it."
        ) from error
    written = StringIO()
    # With its title as salt, a chart has other identifiers than the next one of the page.
    with style.context(["default", {"svg.fonttype": "none", "svg.hashsalt": title, "font.size": LETTER}]):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), layout="constrained")
        axes = figure.add_subplot()
        if logarithmic:
            axes.set_xscale("log")
        _draw_axes(axes, unit, edges[0], edges[-1])
        _draw_bars(axes, unit, edges, counts)
        _draw_marks(axes, lines)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    shapes = written.getvalue().partition("</defs>")[2].rpartition("</svg>")[0]  # without matplotlib's style sheet
    shapes = re.sub(r'<g id="([^"]*: \d+ (?:kept|dropped))">', r"<g><title>\1</title>", shapes)
    shapes = re.sub(r'<g id="[^"]*">', "<g>", shapes)
    for name, ink in INKS.items():
        shapes = shapes.replace(ink, f"var(--{name})")
    return shapes


def _draw_axes(axes: "Axes", unit: str, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axes.set_xlim(low, high)
    decades = np.log10(high / low) if axes.get_xscale() == "log" else 0
    factors = (1, 2, 5) if decades < 3 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=factors) if decades > 1 else MaxNLocator(6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel(unit, color=INKS["soft"])
    axes.set_ylabel("count", color=INKS["soft"])
    axes.tick_params(colors=INKS["soft"])
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(INKS["soft"])


def _draw_bars(axes: "Axes", unit: str, edges: Float[np.ndarray, " k"], counts: Sequence[np.ndarray]) -> None:
    """Draw bars; pointing at one says what it stands for."""
    for name, count, below in (("kept", counts[0], 0 * counts[0]), ("dropped", counts[1], counts[0])):
        at = np.flatnonzero(count)
        bars = axes.bar(edges[at], count[at], np.diff(edges)[at], below[at], align="edge", color=INKS[name])
        for bar, number in zip(bars, at.tolist(), strict=True):
            bar.set(edgecolor=INKS["card"], linewidth=0.6, clip_on=False)
            bar.set_gid(f"{_short(edges[number])} to {_short(edges[number + 1])} {unit}: {count[number]} {name}")


def _draw_marks(axes: "Axes", lines: Sequence[tuple[float, str]]) -> None:
    """Draw lines, with their names above the chart, on that side of the line where there is more room."""
    for number, (value, name) in enumerate(sorted(lines)):
        axes.axvline(value, color=INKS["mark"], linestyle="--", linewidth=1, clip_on=False)
        right = (axes.transScale + axes.transLimits).transform((value, 0))[0] > 0.5
        axes.annotate(
            f"{name} {_short(value)}",
            (value, 1),
            (-4 if right else 4, 3 + (len(lines) - 1 - number) * (LETTER + 2)),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            horizontalalignment="right" if right else "left",
            color=INKS["mark"],
        )


def _short(value: float) -> str:
    """A number in few digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
