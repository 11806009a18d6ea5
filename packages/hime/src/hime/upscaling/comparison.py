"""The sheet beside a result: input, bicubic, output, and the exemplars with their shares."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture
from faceops.images.sheet import Panel
from hime.upscaling.picture_upscaling import Upscaled
from hime.upscaling.sheet import draw_fitted
from portraitdata.images.resampling import bicubic

EXEMPLARS_PER_ROW = 4


def comparison_sheet(
    picture: Picture, result: Upscaled, names: Sequence[str], title: str = ""
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw a result beside its input; ValueError if there are not as many names as exemplars."""
    if len(names) != len(result.exemplars):
        raise ValueError(f"{len(result.exemplars)} exemplars need as many names, got {len(names)}.")
    lr, sr = picture.pixels, result.picture.pixels
    rows = [
        [
            Panel(lr, f"Input, {lr.shape[-1]} x {lr.shape[-2]} pixels"),
            Panel(bicubic(lr, *sr.shape[-2:]).clamp(0, 1), "Bicubic"),
            Panel(sr, f"HIME, {sr.shape[-1]} x {sr.shape[-2]} pixels"),
        ]
    ]
    panels = [
        Panel(image, f"{name}\n{share(result, number)}")
        for number, (image, name) in enumerate(zip(result.exemplars, names, strict=True))
    ]
    rows += [panels[first : first + EXEMPLARS_PER_ROW] for first in range(0, len(panels), EXEMPLARS_PER_ROW)]
    return draw_fitted(rows, title)


def share(result: Upscaled, number: int) -> str:
    """Mean weight of an exemplar over the picture, in words; the similarities behind it may be tiny for all."""
    return "" if result.weight is None else f"mean weight {result.weight[number].mean().item():.2f}"
