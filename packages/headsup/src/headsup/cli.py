"""The ``headsup`` console script.

Lightning, torch and diffusers take seconds to import, so nothing here imports them at module level: a command imports
what it needs when it runs.
"""

import sys
from typing import Any

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command


def fit() -> None:
    """Train a restorer, or one of the parts of the small model."""


def validate() -> None:
    """Score a checkpoint on the validation photographs."""


def test() -> None:
    """Score a checkpoint on the test photographs."""


def predict() -> None:
    """Restore the photographs of a datamodule."""


TRAINER_COMMANDS: dict[str, Any] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = "The memory ran out. In training, a smaller --data.init_args.batch_size or --data.init_args.size helps."

COMMANDS: dict[str, Any] = {}


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
