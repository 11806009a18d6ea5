"""The ``hime`` console script.

Lightning and torch take seconds to import, so nothing here imports them at module level: a command imports what it
needs when it runs.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from faceops.command_line import Commands, run_chosen, run_command
from faceops.progress.display import shown
from hime.command_options import CorrelationMapOptions, EvaluateOptions, ExportOptions, UpscaleOptions
from hime.weights.shipped import choose_weights, find_weights
from portraitdata.training.recipe_help import print_recipe_help


def fit() -> None:
    """Train a network."""


def validate() -> None:
    """Score a checkpoint on the validation people."""


def test() -> None:
    """Score a checkpoint on the test people."""


def predict() -> None:
    """Super-resolve the sets of a datamodule."""


def upscale_pictures(options: UpscaleOptions) -> int:
    """Plan the jobs, then upscale."""
    from faceops.images.memory_budget import DECODING_BYTES, DETECTION_BYTES, memory_budget
    from hime.upscaling.jobs import plan_upscaling

    chosen = choose_weights(options.weights, options.scale, options.perceptual)
    find_weights(chosen)
    looks_for_faces = bool(options.exemplars) and options.align == "faces"
    with memory_budget(options.max_memory, DETECTION_BYTES if looks_for_faces else DECODING_BYTES):
        jobs = plan_upscaling(options)
        with shown("Loading"):
            from hime.upscaling.files import upscale_files

        return upscale_files(jobs, options, chosen)


def demo(*, output: Path) -> None:
    """Upscale a real portrait with the shipped weights, offline.

    Args:
        output: Folder for the images and sheets; created if missing.

    Example:
        hime demo --output demo
    """
    with shown("Upscaling"):
        from hime.demo import print_scores, run_demo

        scores = run_demo(output)
    print_scores(scores, output)


def profile(
    *,
    variant: Literal["small", "large", "lean"] = "small",
    scale: int = 4,
    lr_size: int = 32,
    references: int = 3,
    weights: str | None = None,
    json: bool = False,
) -> None:
    """Count parameters and operations, beside those of the paper.

    Args:
        variant: Size of the network.
        scale: Magnification.
        lr_size: Side of the input in pixels.
        references: References of an image.
        weights: Name or file of weights whose network to count, instead of a variant and a scale.
        json: Print JSON instead of a table.

    Example:
        hime profile --variant large --scale 4
    """
    if weights is not None:
        find_weights(weights)

    from hime.evaluation.profile_report import print_profile, report_profile

    print_profile(report_profile(variant, scale, lr_size, references, weights), json)


def weights() -> None:
    """List the shipped weights with their model cards.

    Example:
        hime weights
    """
    from hime.weights.report import print_weights

    print_weights()


def export(options: ExportOptions) -> None:
    """Refuse what cannot be done, then export."""
    from hime.weights.export_request import check_request

    check_request(options)

    from hime.weights.export import export_files

    export_files(options)


def correlation_map(options: CorrelationMapOptions) -> None:
    """Refuse an image that cannot be opened, then draw."""
    from faceops.images.opening import check_opens

    check_opens(options.image)

    from hime.evaluation.correlation_figure import draw_correlation_map

    print(draw_correlation_map(options))


def evaluate(options: EvaluateOptions) -> None:
    """Refuse what is missing, then evaluate."""
    from portraitdata.exemplars.index import check_index

    for name in options.names:
        find_weights(name)
    check_index(options.index)

    from hime.evaluation.report import print_evaluation

    print_evaluation(options)


TRAINER_COMMANDS: dict[str, Callable[[], None]] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = (
    "The memory ran out. When upscaling, a smaller --tile or --device cpu helps; in training, a smaller "
    "--data.init_args.batch_size; a picture far larger than a headshot is better cut first."
)

COMMANDS: Commands = {
    "upscale": upscale_pictures,
    "demo": demo,
    "weights": weights,
    **TRAINER_COMMANDS,
    "evaluate": evaluate,
    "export": export,
    "profile": profile,
    "correlation-map": correlation_map,
}
"""In the order of use: photographs, training, what is made of its result, analyses."""


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        if print_recipe_help("hime", TRAINER_COMMANDS[sys.argv[1]]):
            return None

        from hime.training.cli import run as run_recipe

        run_recipe()
        return None
    return run_chosen(COMMANDS, "hime")


def main() -> None:
    """Run a command; ``python -X dev -m hime`` shows the traceback of an error instead of a sentence."""
    run_command("hime", run, OUT_OF_MEMORY)
