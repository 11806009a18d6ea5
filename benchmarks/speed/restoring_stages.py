"""Restoring a photograph, stage by stage: as `headsup restore` does it beside the same networks run the plain way.

First the default weights, then those of the first generation, whose networks have no branch; what a branch costs is
their quotient, which the note says. The plain ways are of the first generation.

With a reference there is one more picture to encode and, where its face is, a second pass of the denoiser.

Plain is the restorer as it is trained: adapters beside the weights they belong to, weights in torch's usual order, the
prompt's text encoded for each picture where the base model has a text encoder. The results are compared, too. In
between is what `headsup restore` does, with maps doubled before they are convolved, see
`headsup.tiling.folded_upsampling`.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from benchmarks.reporting.table import Cell, Suite, Table
from benchmarks.speed.machine_limits import MachineLimits, machine_limits
from faceops.images.files import Picture, load_picture, save_picture
from headsup.demo import BOX, LANDMARKS, reference
from headsup.model.prompts import ConstantPrompt
from headsup.profiling.profile_report import report_profile
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces
from headsup.tiling.folded_upsampling import FoldedUpsampling
from headsup.weights.files import load_restorer
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.images.resampling import bicubic
from portraitdata.images.simulated_views import astronaut

SIDE, SCALE = 256, 4.0
"""Side of the input in pixels, and how much larger the result is."""

FIRST = "tiny"
"""Weights of the first generation."""

TURNS: dict[Suite, int] = {"quick": 1, "full": 2}
"""Of each way, after one that is not timed."""

STAGES = ("read", "encode", "denoise", "decode", "write")


def measure(suite: Suite) -> list[Table]:
    """Seconds of every stage, wall clock, medians of turns."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "input.jpg"
        save_picture(Picture(bicubic(astronaut(), SIDE, SIDE).clamp(0, 1)), source)
        ways = {
            DEFAULT_WEIGHTS: as_shipped(None, DEFAULT_WEIGHTS),
            f"{DEFAULT_WEIGHTS}, with a reference": as_shipped(reference_face(), DEFAULT_WEIGHTS),
            FIRST: as_shipped(None),
            f"{FIRST}, plain": plainly(),
            f"{FIRST}, with a reference": as_shipped(reference_face()),
        }
        if suite == "full":
            ways[f"{FIRST}, doubled, then convolved"] = as_shipped(None, folded=False)
            ways[f"{FIRST}, with a reference, one pass"] = as_shipped(reference_face(), confined=False)
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        results: dict[str, Tensor] = {}
        for _ in range(1 + TURNS[suite]):
            for name, way in ways.items():
                seconds, results[name] = whole(way, source, Path(folder) / "output.png")
                taken[name].append(seconds)
    rows: list[tuple[Cell, ...]] = []
    for name, turns in taken.items():
        stages = [median(turn[stage] for turn in turns[1:]) for stage in STAGES]
        rows.append((name, *stages, sum(stages)))
    limits = machine_limits(time.perf_counter)
    rows.append(least(limits))
    difference = (results[FIRST] - results[f"{FIRST}, plain"]).abs().max().item()
    times = {str(row[0]): float(row[-1]) for row in rows}
    side = round(SIDE * SCALE)
    title = (
        f"Seconds of the stages of restoring {SIDE} x {SIDE} pixels to {side} x {side}, shipped weights, CPU, float32"
    )
    note = (
        f"{DEFAULT_WEIGHTS} takes {times[DEFAULT_WEIGHTS] / times[FIRST]:.2f} times as long as {FIRST}. The results of "
        f"{FIRST} and of the plain way differ by {difference * 255:.3f} of 255 grey levels at most. The limit is by "
        f"{limits.multiplications / 1e9:.1f} G multiply-accumulates of a matrix product in a second here, for those of "
        "the networks."
    )
    return [Table("restoring_stages", title, ("way", *STAGES, "all"), tuple(rows), (*STAGES[1:4], "all"), "s", note)]


def least(limits: MachineLimits) -> tuple[Cell, ...]:
    """Row of the seconds that the multiply-accumulates of the first generation take, if nothing else does."""
    macs = report_profile("tiny", round(SIDE * SCALE), "restore").macs
    networks = [limits.seconds(macs[part]) for part in ("vae_encoder", "unet", "vae_decoder")]
    return "limit", "", *networks, "", sum(networks)


Way = Callable[[Picture], tuple[dict[str, float], Tensor]]
"""Gives the seconds of the three stages, and the result."""


def reference_face() -> ReferenceFaces:
    """The face on the input, with a simulated other photograph of the person."""
    photograph = astronaut()
    share = SIDE / photograph.shape[1]
    return ReferenceFaces(BOX.view(1, 4), LANDMARKS[None], reference(photograph).references).rescaled(share, share)


def as_shipped(
    references: ReferenceFaces | None, weights: str = FIRST, confined: bool = True, folded: bool = True
) -> Way:
    """What the command line runs, or that without folded upsampling."""
    restorer = PhotoRestorer.load(weights)
    for module in restorer.restorer.modules():
        if isinstance(module, FoldedUpsampling) and not folded:
            module.LEAST_PIXELS = sys.maxsize
    options = RestoreOptions(scale=SCALE, colour="none", confine_references=confined)

    def way(picture: Picture) -> tuple[dict[str, float], Tensor]:
        restored = restorer(picture, options, references)
        return dict(restored.seconds), restored.picture.pixels

    return way


def plainly() -> Way:
    """The same, without anything that makes it fast."""
    restorer, settings = load_restorer(FIRST)
    restorer.eval().requires_grad_(False)

    @torch.no_grad()
    def way(picture: Picture) -> tuple[dict[str, float], Tensor]:
        large = bicubic(picture.pixels[None], *(round(side * SCALE) for side in picture.pixels.shape[1:])).clamp(0, 1)
        start = time.perf_counter()
        z = restorer.encode(large)
        encoded = time.perf_counter()
        prompts = ConstantPrompt()
        prompts.prepare(settings.base)
        mask = z.new_zeros(1, 1, *z.shape[2:])
        clean = restorer.denoise(z, torch.zeros_like(z), mask, prompts(large, [""]))
        denoised = time.perf_counter()
        image = restorer.decode(clean).clamp(0, 1)[0]
        decoded = time.perf_counter()
        return {"encode": encoded - start, "denoise": denoised - encoded, "decode": decoded - denoised}, image

    return way


def whole(way: Way, source: Path, target: Path) -> tuple[dict[str, float], Tensor]:
    """Seconds of all stages, file to file, and the result."""
    start = time.perf_counter()
    picture = load_picture(source)
    read = time.perf_counter()
    seconds, image = way(picture)
    restored = time.perf_counter()
    save_picture(Picture(image), target)
    return seconds | {"read": read - start, "write": time.perf_counter() - restored}, image
