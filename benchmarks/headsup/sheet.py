"""Pictures of what restorers make of the same inputs, side by side."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.samples import Sample
from faceops.images.sheet import Panel, draw_sheet
from headsup.restoring.comparison import reduced
from portraitdata.images.resampling import bicubic

SIDE = 256
"""Longer side of a picture on the sheet, in pixels; smaller ones stay as they are."""


SHOWN = 4
"""Samples on a sheet that shows a part of a test set."""


def spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Samples for a sheet, evenly spread over all; all of them where they are few."""
    count = min(SHOWN, len(samples))
    return [samples[number * len(samples) // count] for number in range(count)]


def sheet(samples: Sequence[Sample], results: Mapping[str, Mapping[str, Tensor]]) -> Float[Tensor, "3 h w"]:
    """A row for each sample: input with its pixels as squares, what each method makes of it, truth, reference.

    Args:
        samples: What to show; those without results are not shown.
        results: Pictures by sample and method.
    """
    shown = [_row(sample, results[sample.name]) for sample in samples if sample.name in results]
    return draw_sheet(shown, narrowest=SIDE)


def _row(sample: Sample, results: Mapping[str, Tensor]) -> list[Panel]:
    height, width = sample.low.shape[1:]
    factor = max(1, sample.truth.shape[1] // height)
    squares = sample.low.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
    given = {} if "input" in results else {f"input, {width} x {height}": squares}
    images = {**given, **results, "truth": sample.truth}
    panels = [Panel(reduced(image, SIDE), caption) for caption, image in images.items()]
    if sample.reference is None:
        return panels
    side = min(SIDE, sample.truth.shape[1])
    return [*panels, Panel(bicubic(sample.reference, side, side).clamp(0, 1), "reference")]
