"""``hime demo``: a real portrait, upscaled offline with the shipped weights.

The photograph is NASA's official portrait of the astronaut Eileen Collins (public domain), which scikit-image carries.
There is only one, so the exemplars are simulated from it (`portraitdata.images.simulated_views`); the sheets and the
printed text say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture, save_picture
from faceops.images.sheet import Panel
from faceops.progress.tracker import parts
from hime.upscaling.comparison import draw_fitted, share
from hime.upscaling.picture_upscaling import upscale
from hime.weights.files import load_network
from hime.weights.shipped import shipped_name, shipped_weights
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.images.simulated_views import Square, View, astronaut, simulate
from portraitdata.scoring.psnr import psnr

HEAD = Square(top=52, left=161, side=128)
"""The head in the photograph, in pixels. Her eyes are 44 pixels apart; in the centre 128 pixels of the pictures of
Labeled Faces in the Wild, on which the weights were trained, eyes are 43 pixels apart and in the same place."""

DEMO_WEIGHTS = tuple(shipped_name(scale, perceptual) for scale in (8, 4) for perceptual in (False, True))
"""Weights that are shown if they are installed."""

NOTICE = (
    "Portrait: NASA, public domain. The exemplars are simulated from the same photograph (tilted, mirrored, relit, "
    "blurred), so they fit better than photographs of another day would."
)


VIEWS = (
    View("simulated: tilted left, brighter", 8.0, 1.06, (4.0, -3.0), False, 0.8, (1.0, 1.0, 1.0), 0.4),
    View("simulated: mirrored, darker", -4.0, 0.95, (-5.0, 2.0), True, 1.3, (1.0, 1.0, 1.0), 0.6),
    View("simulated: tilted right, warm light", -8.0, 1.0, (2.0, 5.0), False, 1.0, (1.06, 1.0, 0.88), 0.8),
)


@dataclass(frozen=True)
class DemoScores:
    """PSNR in dB of one network on the demo's portrait."""

    weights: str
    lr_size: int
    bicubic: float
    alone: float
    """HIME without exemplars."""
    together: float
    """HIME with all simulated exemplars."""


def run_demo(output: Path) -> list[DemoScores]:
    """Reduce the portrait, upscale it with every shipped network, and write pictures and sheets.

    Args:
        output: Folder to write into; made if it does not exist. Files of an earlier demo are replaced.

    Raises:
        ValueError: If scikit-image or every weights file is missing.
        OSError: If a file cannot be written.
    """
    names = [name for name in DEMO_WEIGHTS if name in shipped_weights()]
    if not names:
        raise ValueError(f"The demo needs one of the shipped weights {', '.join(DEMO_WEIGHTS)}; none is installed.")
    photograph = astronaut()
    truth = HEAD.cut(photograph)
    views = [simulate(photograph, view, HEAD) for view in VIEWS]
    output.mkdir(parents=True, exist_ok=True)
    save_picture(Picture(truth), output / "original.png")
    for number, view in enumerate(views, start=1):
        save_picture(Picture(view), output / f"simulated_exemplar_{number}.png")
    return [demonstrate(name, truth, views, output) for name in parts(names, "network")]


def demonstrate(
    name: str, truth: Float[Tensor, "3 h w"], views: Sequence[Float[Tensor, "3 h w"]], output: Path
) -> DemoScores:
    """Upscale the reduced portrait with one network; write the input, the result and the sheet."""
    network = load_network(name)
    side = HEAD.side // network.scale
    low = Picture(to_8_bit(bicubic(truth, side, side)))
    alone = upscale(network, low)
    together = upscale(network, low, [Picture(view) for view in views])
    upsampled = bicubic(low.pixels, HEAD.side, HEAD.side)
    shown = torch.stack((upsampled, alone.picture.pixels, together.picture.pixels)).clamp(0, 1)
    scores = DemoScores(name, side, *psnr(shown, truth.expand_as(shown)).tolist())
    rows = [
        [
            Panel(low.pixels, f"Input, {side} x {side} pixels"),
            Panel(upsampled.clamp(0, 1), f"Bicubic, {scores.bicubic:.2f} dB"),
            Panel(alone.picture.pixels, f"HIME without exemplars, {scores.alone:.2f} dB"),
            Panel(together.picture.pixels, f"HIME with {len(views)} exemplars, {scores.together:.2f} dB"),
        ],
        [Panel(truth, "Original")]
        + [
            Panel(image, f"{view.name}\n{share(together, i)}")
            for i, (view, image) in enumerate(zip(VIEWS, views, strict=True))
        ],
    ]
    save_picture(low, output / f"input_{side}.png")
    save_picture(together.picture, output / f"{name}.png")
    save_picture(Picture(draw_fitted(rows, f"hime {name}. {NOTICE}")), output / f"sheet_{name}.png")
    return scores


def print_scores(scores: Sequence[DemoScores], output: Path) -> None:
    """Print PSNR in dB, what is missing, and what was written."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="PSNR in dB")
    for heading in ("weights", "input", "bicubic", "without exemplars", f"with {len(VIEWS)} exemplars"):
        table.add_column(heading)
    for row in scores:
        pixels = f"{row.lr_size} px"
        table.add_row(row.weights, pixels, *(f"{value:.2f}" for value in (row.bicubic, row.alone, row.together)))
    Console().print(table)
    for name in DEMO_WEIGHTS:
        if name not in [row.weights for row in scores]:
            print(f"The weights {name} are not in this installation, so they are not shown.")
    print(NOTICE)
    print(f"Pictures and sheets are in {output}.")
