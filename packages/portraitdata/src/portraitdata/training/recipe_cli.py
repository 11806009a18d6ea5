"""LightningCLI of a model package: ``fit | validate | test | predict``."""

import logging
import signal
import sys
import warnings
from typing import Any

from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from faceops.command_help import configs_first
from portraitdata.training.fit_summary import FitSummary
from portraitdata.training.predictions import PredictionFolder
from portraitdata.training.recipe_help import recipe_words
from portraitdata.training.resuming import resume, run_folder
from portraitdata.training.whole_checkpoints import WholeCheckpoints, clear_half_written

TERMINATED = 128 + signal.SIGTERM
"""Exit status of a program that SIGTERM has ended, as shells have it."""


class SaveFitConfig(SaveConfigCallback):
    """Saves the config beside the logs of a fit, and only of a fit."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save if ``stage`` is ``"fit"`` and there is a logger, whose folder is a new one for every run."""
        if stage == "fit" and trainer.loggers:
            super().setup(trainer, pl_module, stage)


class RecipeCLI(LightningCLI):
    """LightningCLI for any recipe of a package and its data."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the groups ``checkpoint`` and ``predictions``."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.save_last": True})
        parser.add_lightning_class_args(PredictionFolder, "predictions")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse; what the command line says counts more than a file, wherever that stands."""
        if args is None:
            command, *words = recipe_words(sys.argv[1:]) or [""]
            self.config = parser.parse_args([command, *configs_first(words)] if command else None)
        else:
            super().parse_arguments(parser, args)

    def _parse_ckpt_path(self) -> None:
        # On a resumed fit the command line decides the hyperparameters, not the checkpoint, which Lightning would
        # let win silently.
        if self.config.get("subcommand") != "fit":
            super()._parse_ckpt_path()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:  # noqa: ANN401 - as Lightning's
        """Trainer whose checkpoints are whole or not at all, unless its strategy writes them in a way of its own."""
        self.summary = FitSummary()
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.append(self.summary)  # type: ignore[attr-defined]
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    def before_fit(self) -> None:
        """Find the checkpoint to go on from, and remove what killed runs have left half written."""
        run = run_folder(self.trainer)
        clear_half_written(run)
        options = self.config_init["fit"]
        if not options.get("ckpt_path"):
            return
        options["ckpt_path"], sentence = resume(str(options["ckpt_path"]), run)
        if sentence is not None and self.trainer.is_global_zero:
            print(sentence, file=sys.stderr)

    def after_fit(self) -> None:
        """Say what the fit has come to."""
        if self.trainer.is_global_zero:
            print("\n".join(self.summary.sentences(self.trainer)))


def silence_lightning() -> None:
    """Leave out what Lightning says of its makers' other products, and of the modules that it imports."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda record: not any(word in record.getMessage() for word in ("Tip:", "TPU available")))
    warnings.filterwarnings("ignore", message=".*LeafSpec")


def run_recipe(program: str, model: type[LightningModule], data: type[LightningDataModule]) -> None:
    """Parse the command line and run its command.

    Args:
        program: Name of the console script.
        model: Base class of the recipes.
        data: Base class of their data.

    Raises:
        ValueError: If an argument, or what a constructor finds at the place that it names, does not fit.
        OSError: If what a constructor needs is missing.
        SystemExit: With the status of a terminated program, if SIGTERM ended the run. Lightning ends it in good order,
            and whoever started it must still be told that it did not come to its end.
    """
    usage = f"{program} {{}} [-c CONFIG.yaml ...] [--key value ...]"
    names = RecipeCLI.subcommands()
    silence_lightning()
    try:
        RecipeCLI(
            model,
            data,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            trainer_defaults={"precision": "bf16-mixed", "use_distributed_sampler": False},
            save_config_callback=SaveFitConfig,
            parser_kwargs={"prog": program} | {name: {"usage": usage.format(name)} for name in names},
        )
    except SIGTERMException:  # Lightning's, with the status of success
        print(f"{program}: terminated; --ckpt_path last goes on from the last checkpoint.", file=sys.stderr)
        raise SystemExit(TERMINATED) from None
    except ValueError as error:
        # jsonargparse wraps the sentence of a constructor in a dump of all its arguments.
        if str(error).startswith("Does not validate") and error.__cause__ is not None:
            raise error.__cause__ from None
        raise
