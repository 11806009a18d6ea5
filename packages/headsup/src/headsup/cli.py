"""The ``headsup`` console script.

Lightning, torch and diffusers take seconds to import, so nothing here imports them at module level: a command imports
what it needs when it runs.
"""

import sys
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command
from headsup.model_card import ModelCard

SILENT_CARD = ModelCard()


def fit() -> None:
    """Train a restorer, or one of the parts of the small model."""


def validate() -> None:
    """Score a checkpoint on the validation photographs."""


def test() -> None:
    """Score a checkpoint on the test photographs."""


def predict() -> None:
    """Restore the photographs of a datamodule."""


def profile(
    *,
    architecture: Literal["sd21", "tiny"] = "sd21",
    size: int = 1024,
    mode: Literal["train", "restore"] = "train",
    json: bool = False,
) -> None:
    """Count parameters, memory and operations of a restorer, without its weights.

    Args:
        architecture: Base model: Stable Diffusion 2.1, or the small one that comes along.
        size: Side of the restored image in pixels.
        mode: Count a step of training, or the restoration of one image.
        json: Print JSON instead of tables.
    """
    from headsup.profile_report import print_profile, report_profile

    print_profile(report_profile(architecture, size, mode), json)


def export(checkpoint: Path, *, output: Path, card: ModelCard = SILENT_CARD, half: bool = False) -> None:
    """Turn a training checkpoint into a weights file.

    Args:
        checkpoint: Checkpoint (.ckpt) of headsup fit of a restorer.
        output: Weights file (.safetensors) to write.
        card: What to say about the weights.
        half: Store float16, half the size.
    """
    from headsup.export import export_checkpoint

    export_checkpoint(checkpoint, output, card, half)
    print(output)


def merge(weights: str, *, output: Path, base: str | None = None, prompt: str = "") -> None:
    """Write a restorer with its adapters merged, as a diffusers folder that other software loads.

    Args:
        weights: Name of shipped weights, or a .safetensors file.
        output: Folder to write; it must not be there yet.
        base: Base model, if it is not where the weights say: a folder in diffusers' layout or a hub id.
        prompt: Text whose embedding is written along.
    """
    from headsup.merging import merge_weights

    merge_weights(weights, base, prompt, output)
    print(output)


TRAINER_COMMANDS: dict[str, Any] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = "The memory ran out. In training, a smaller --data.init_args.batch_size or --data.init_args.size helps."

COMMANDS: dict[str, Any] = {"profile": profile, "export": export, "merge": merge}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        from headsup.training.cli import HeadsUpCLI

        HeadsUpCLI.run()
        return None
    return auto_cli(
        TRAINER_COMMANDS | COMMANDS,
        parser_class=ShellParser,
        prog="headsup",
        description=sys.modules["headsup"].__doc__,
    )


def main() -> None:
    """Run a command; ``python -X dev -m headsup`` shows the traceback of an error instead of a sentence."""
    run_command("headsup", run, OUT_OF_MEMORY)
