"""The ``headsup`` console script.

Nothing here imports lightning, torch or diffusers, which take seconds: a command imports what it needs when it runs.
"""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from faceops.command_line import Commands, run_chosen, run_command
from faceops.existing_files import check_exists
from faceops.progress.display import shown
from faceops.weights.shipped import check_suffix
from headsup.command_options import (
    BlendFilesOptions,
    ExportOptions,
    ImportOptions,
    MergeOptions,
    RestoreFilesOptions,
    ServeOptions,
)
from headsup.model.diffusers_networks import import_networks
from headsup.weights.shipped import find_weights
from portraitdata.training.recipe_help import print_recipe_help


def fit() -> None:
    """Train a restorer, or a part of the small base model."""


def validate() -> None:
    """Score a checkpoint on the validation photographs."""


def test() -> None:
    """Score a checkpoint on the test photographs."""


def predict() -> None:
    """Restore the photographs of a datamodule."""


def restore(options: RestoreFilesOptions) -> int:
    """Plan the jobs, then restore."""
    from faceops.images.memory_budget import DECODING_BYTES, DETECTION_BYTES, memory_budget
    from headsup.restoring.jobs import plan_request
    from headsup.restoring.options import stated_options

    stated = stated_options(options)
    looks_for_faces = bool(options.reference) or options.compare is not None or options.report is not None
    bytes_per_pixel = DETECTION_BYTES if looks_for_faces else DECODING_BYTES
    with memory_budget(options.memory, bytes_per_pixel, option="--memory"):
        jobs = plan_request(
            options.inputs,
            options.output,
            options.compare,
            options.report,
            options.reference,
            (options.weights,),
            options.recursive,
        )
        with shown("Loading"):
            import_networks()

            from headsup.restoring.files import restore_files

        return restore_files(jobs, stated, options)


def demo(*, output: Path) -> None:
    """Damage a real portrait and restore it with the shipped weights, without and with a reference; offline.

    Args:
        output: Folder for the images and a sheet; created if missing.

    Example:
        headsup demo --output demo
    """
    with shown("Restoring"):
        import_networks()

        from headsup.demo import print_scores, run_demo

        scores = run_demo(output)
    print_scores(scores, output)


def blend(options: BlendFilesOptions) -> int:
    """Plan the jobs, then blend."""
    from faceops.images.memory_budget import DETECTION_BYTES, memory_budget
    from headsup.restoring.jobs import plan_blending
    from headsup.restoring.options import stated_options

    stated = stated_options(options)
    with memory_budget(options.memory, DETECTION_BYTES, option="--memory"):
        jobs = plan_blending(options)
        with shown("Loading"):
            import_networks()

            from headsup.restoring.blended_files import blend_files

        return blend_files(jobs, stated, options)


def serve(options: ServeOptions) -> None:
    """Refuse what is missing, then serve."""
    from faceops.images.memory_budget import check_gigabytes

    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ImportError("Serving the page needs starlette and uvicorn: pip install './packages/headsup[serve]'.")
    check_gigabytes(options.memory, "--memory")
    for name in options.weights:
        find_weights(name)
    with shown("Loading"):
        import_networks()

        from headsup.serving.serve import serve_page

    serve_page(options)


def profile(
    *,
    architecture: Literal["sd21", "tiny"] = "sd21",
    size: int = 1024,
    mode: Literal["train", "restore"] = "train",
    guidance: int = 0,
    references: Literal["concat", "attention"] = "concat",
    trained: Literal["adapters", "all"] = "adapters",
    json: bool = False,
) -> None:
    """Count parameters, memory and operations of a restorer, without its weights.

    Args:
        architecture: Base model: Stable Diffusion 2.1, or the small one.
        size: Side of the restored image in pixels.
        mode: Training step, or restoration of one image.
        guidance: Channels of the guidance branch; 0 for none, as in the paper.
        references: Concatenated with the input, as in the paper, or attended to.
        trained: Trained weights: adapters, as in the paper, or all of the base model.
        json: Print JSON instead of tables.

    Example:
        headsup profile --size 2048 --mode restore
    """
    from headsup.model.settings import RestorerSettings
    from headsup.profiling.profile_report import print_profile, report_profile

    settings = RestorerSettings(guidance=guidance, references=references, trained=trained)
    print_profile(report_profile(architecture, size, mode, settings), json)


def weights(action: Literal["list", "fetch"] = "list", name: str | None = None) -> None:
    """List the shipped weights with their model cards, or fetch published ones.

    Args:
        action: list, or fetch.
        name: Weights to fetch, such as osediff; ``faceops weights list`` names all.

    Raises:
        ValueError: If a name is missing, or given for the list.

    Example:
        headsup weights fetch osediff
    """
    if (action == "fetch") != (name is not None):
        raise ValueError("Weights are fetched by name: headsup weights fetch osediff. The list takes none.")
    if name is not None:
        from faceops.weights.shown_download import fetch_shown

        fetch_shown(name)
        return
    from headsup.weights.report import print_weights

    print_weights()


def export(options: ExportOptions) -> None:
    """Refuse what is missing, then export."""
    check_exists("checkpoint", options.checkpoint)
    check_suffix(options.output)

    from headsup.weights.export import export_checkpoint

    export_checkpoint(options)
    print(options.output)


def import_weights(options: ImportOptions) -> None:
    """Refuse another suffix, find or fetch the checkpoint, then convert it."""
    check_suffix(options.output)
    from faceops.weights.cache import find_weights as find_or_fetch

    checkpoint = find_or_fetch(options.checkpoint)

    from headsup.weights.osediff import import_osediff

    import_osediff(checkpoint, options)
    print(options.output)


def merge(options: MergeOptions) -> None:
    """Refuse what is missing, then merge."""
    find_weights(options.weights)

    from headsup.weights.merging import merge_weights

    merge_weights(options)
    print(options.output)


TRAINER_COMMANDS: dict[str, Callable[[], None]] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = (
    "The memory ran out. When restoring, --memory GB or a smaller --scale helps; in training, a smaller "
    "--data.init_args.batch_size or --data.init_args.size helps."
)

COMMANDS: Commands = {
    "restore": restore,
    "serve": serve,
    "demo": demo,
    "weights": weights,
    **TRAINER_COMMANDS,
    "export": export,
    "import": import_weights,
    "merge": merge,
    "profile": profile,
    "blend": blend,
}
"""In the order of use: photographs, training, what is made of its result, comparisons."""


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        if print_recipe_help("headsup", TRAINER_COMMANDS[sys.argv[1]]):
            return None

        from headsup.training.cli import run as run_recipe

        run_recipe()
        return None
    return run_chosen(COMMANDS, "headsup")


def main() -> None:
    """Run a command; ``python -X dev -m headsup`` shows the traceback of an error instead of a sentence."""
    run_command("headsup", run, OUT_OF_MEMORY)
