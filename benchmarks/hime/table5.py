"""HIME's Table 5: how far back in a video the reference may lie.

The paper recorded calls of its authors, which are not public. Measured is a generated clip: one photograph (the
portrait of scikit-image) that turns, drifts, comes nearer and is relit, smoothly, so that frames further apart are less
alike. Whoever talks also moves the face, which this clip does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import cos, pi, sin

import torch
from jaxtyping import UInt8
from torch import Tensor

from benchmarks.hime.agreement import change, told
from benchmarks.hime.portrait_scores import SIDE, Enlarge, Scores, gathered, perceptual_distance, scored
from benchmarks.reporting.table import Cell, Published, Suite, Table
from faceops.images.sheet import Panel
from hime.demo import HEAD
from hime.upscaling.comparison import draw_fitted
from hime.weights.files import load_network
from portraitdata.exemplars.video_exemplars import VideoExemplars
from portraitdata.images.simulated_views import Square, View, astronaut, simulate
from portraitdata.scoring.psnr import psnr

FRAMES = 240
INTERVALS = (30, 60, 120)
STRETCH = 30
"""Frames that follow each other and count as one measurement where errors are estimated."""
WEIGHTS = {"small-x8": 8, "small-x4": 4}
"""Shipped weights and their scale; the paper's table is at x4."""
SPACING = {"quick": 6, "full": 1}
"""Every so many frames is a target."""
BLANK = "blank"
SHOULDERS = Square(top=0, left=97, side=256)
"""Part of the photograph that ever comes into view."""

PUBLISHED = Published(
    "HIME, Table 5: over 5,000 frames of recorded video calls, x4",
    ("interval", "PSNR", "SSIM"),
    (("30", 37.34, 0.9250), ("60", 37.24, 0.9241), ("120", 37.12, 0.9227), (BLANK, 36.81, 0.9207)),
)


def measure(suite: Suite) -> list[Table]:
    """Scores by interval.

    Raises:
        NoPhotographsError: If the weights of the perceptual distance are not there.
    """
    frames = clip()
    spacing = SPACING[suite]
    targets = [t for t in range(spacing - 1, FRAMES, spacing) if t % INTERVALS[0]]
    distance = perceptual_distance()
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    lines: dict[str, list[tuple[float, float]]] = {}
    for name, scale in WEIGHTS.items():
        network: Enlarge = load_network(name)
        scores: dict[str, Scores] = {}
        for interval, sets in video_sets(frames, targets).items():
            portraits = gathered(sets)
            scores[interval] = scored({name: network}, portraits, scale, distance)[name]
            rows.append((f"{name}, {interval}", *scores[interval].means, likeness(portraits.images)))
        notes += signs(name, scores, [t // STRETCH for t in targets])
        blank = scores[BLANK].means[0]
        lines[name] = [(float(interval), scores[str(interval)].means[0] - blank) for interval in INTERVALS]
    return [
        Table(
            "hime_table5",
            f"One earlier frame as reference: {len(targets)} frames of a generated clip of {FRAMES}, {SIDE} pixels",
            ("weights, interval", "PSNR", "SSIM", distance.name, "reference to frame, dB"),
            tuple(rows),
            note=" ".join(filter(None, (NOTE, *notes, distance.remark))),
            published=PUBLISHED,
            pictures={"The generated clip": draw_fitted([shown(frames)])},
            curves=lines,
            axes=("interval, frames", "PSNR over a blank reference, dB"),
        )
    ]


NOTE = (
    "Generated, not filmed: one photograph that turns, drifts, grows and is relit, with no expression that changes. "
    "References are frames 0, j, 2j, ..., every target has the last one before it, and all rows have the same targets. "
    "The last column is the PSNR between reference and target, which says how alike they are. ± is twice the standard "
    f"error over stretches of {STRETCH} frames, because neighbouring frames are nearly the same."
)


def clip() -> list[UInt8[Tensor, "3 s s"]]:
    """The frames."""
    photograph = SHOULDERS.cut(astronaut())
    head = replace(HEAD, top=HEAD.top - SHOULDERS.top, left=HEAD.left - SHOULDERS.left)
    return [simulate(photograph, view(t), head).mul(255).round().to(torch.uint8) for t in range(FRAMES)]


def view(t: int) -> View:
    """Where the head is in frame `t`: a slow sweep through the whole clip, and a nod of a second or two."""
    whole = t / FRAMES
    sweep = -cos(pi * whole)
    shift = 8 * sweep + 1.5 * sin(2 * pi * t / 45), 6 * whole - 3 + 1.5 * sin(2 * pi * t / 31)
    light = 1 - 0.06 * sweep, 1.0, 1 + 0.06 * sweep
    return View(f"frame {t}", 12 * sweep, 0.92 + 0.16 * whole, shift, False, 0.85 + 0.35 * whole, light, 0.4)


def video_sets(frames: list[Tensor], targets: list[int]) -> dict[str, VideoExemplars]:
    """The same targets with references by each interval, and blank ones."""
    sets = {str(interval): VideoExemplars(frames, SIDE, interval, targets=targets) for interval in INTERVALS}
    return {**sets, BLANK: VideoExemplars(frames, SIDE, INTERVALS[0], choose="blank", targets=targets)}


def likeness(images: UInt8[Tensor, "b m 3 s s"]) -> float:
    """Mean PSNR between target and reference, in dB."""
    pixels = images.float() / 255
    return psnr(pixels[:, 1], pixels[:, 0]).mean().item()


def signs(name: str, scores: dict[str, Scores], stretches: Sequence[int]) -> list[str]:
    """A sentence for every step of the paper's table, whether this one goes the same way.

    Args:
        name: Of the weights.
        scores: Of every target, by interval.
        stretches: To which stretch of the clip each target belongs.
    """
    published = {str(row[0]): [float(value) for value in row[1:]] for row in PUBLISHED.rows}
    sentences = []
    for before, after in zip(published, list(published)[1:], strict=False):
        papers = [theirs - first for first, theirs in zip(published[before], published[after], strict=True)]
        changes = [
            told(metric, change(first, ours, stretches), paper)
            for metric, first, ours, paper in zip(("PSNR", "SSIM"), scores[before], scores[after], papers, strict=False)
        ]
        sentences.append(f"{name}, from {before} to {after}: {', '.join(changes)}.")
    return sentences


def shown(frames: list[Tensor]) -> list[Panel]:
    """A few frames."""
    return [Panel(frames[t].float() / 255, f"frame {t}") for t in (0, 60, 120, 180, FRAMES - 1)]
