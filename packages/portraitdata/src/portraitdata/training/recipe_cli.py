"""LightningCLI of a model package: ``fit | validate | test | predict``."""

import logging
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from faceops.command_help import configs_first
from portraitdata.training.continued_run import (
    CONFIG,
    METRICS,
    continue_loggers,
    put_aside,
    refuse_second_run,
    start_of,
    stated_arguments,
    steps_of,
)
from portraitdata.training.fit_summary import FitSummary
from portraitdata.training.last_step import LastStep
from portraitdata.training.misspelt_keys import misspelt_keys
from portraitdata.training.predictions import PredictionFolder
from portraitdata.training.progress_lines import ProgressLines
from portraitdata.training.recipe_help import recipe_words
from portraitdata.training.replicas import refuse_sharding
from portraitdata.training.resuming import LAST, resume, run_folder
from portraitdata.training.stated_hyperparameters import StatedHyperparameters
from portraitdata.training.termination import TerminationNote
from portraitdata.training.timely_checkpoints import TimelyCheckpoints
from portraitdata.training.whole_checkpoints import WholeCheckpoints, clear_half_written

TERMINATED = 128 + signal.SIGTERM
"""Exit status of a program that SIGTERM has ended, as shells have it."""

BARS = RichProgressBar, TQDMProgressBar
"""Progress bars for terminals."""


class SaveFitConfig(SaveConfigCallback):
    """Saves the config beside the logs of a fit, and only of a fit."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save if ``stage`` is ``"fit"`` and there is a logger, whose folder is a new one for every run."""
        if stage == "fit" and trainer.loggers:
            super().setup(trainer, pl_module, stage)


class RecipeParser(LightningArgumentParser):
    """Parser that says which key was meant."""

    base_classes: dict[str, type]
    """Base class of each group of settings."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End the program; keys that their classes do not have come before what the parser made of them."""
        sentences = misspelt_keys(sys.argv[1:], self.base_classes)
        super().error("\n".join(sentences) or message, ex)


class RecipeCLI(LightningCLI):
    """LightningCLI for any recipe of a package and its data."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The command that is given, or all; to make the options of the others takes a quarter of a second."""
        every = LightningCLI.subcommands()
        given = recipe_words(sys.argv[1:])[:1]
        return {name: skipped for name, skipped in every.items() if name in given} or every

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:  # noqa: ANN401 - as Lightning's
        """Parser of a command, or of all."""
        parser = super().init_parser(**kwargs)
        if isinstance(parser, RecipeParser):
            named = {"model": self.model_class, "data": self.datamodule_class, "trainer": Trainer}
            parser.base_classes = {group: base for group, base in named.items() if isinstance(base, type)}
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the groups ``checkpoint`` and ``predictions``."""
        parser.add_lightning_class_args(TimelyCheckpoints, "checkpoint")
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
        """Trainer whose checkpoints are whole or not at all, unless its strategy writes them in a way of its own.

        The last step has one, too. Where no terminal shows a progress bar, it writes lines.
        """
        self.summary = FitSummary()
        trainer = super().instantiate_trainer(**kwargs)
        refuse_sharding(trainer)
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if not sys.stdout.isatty():
            callbacks = [ProgressLines() if isinstance(callback, BARS) else callback for callback in callbacks]
        own = [StatedHyperparameters(), TerminationNote(), *callbacks, LastStep(), self.summary]
        trainer.callbacks = own  # type: ignore[attr-defined]
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    def before_fit(self) -> None:
        """Find the checkpoint to go on from, and remove what killed runs have left half written.

        Raises:
            FileExistsError: If the version of the logger is stated, and another run has it.
        """
        run = run_folder(self.trainer)
        clear_half_written(run)
        options = self.config_init["fit"]
        asked = str(options.get("ckpt_path") or "")
        if asked:
            options["ckpt_path"], sentence = resume(asked, run)
            if sentence is not None and self.trainer.is_global_zero:
                print(sentence, file=sys.stderr)
        if asked == LAST and options["ckpt_path"] is not None:
            self.go_on(Path(options["ckpt_path"]), run)
        folder = self.trainer.log_dir  # asked of every process
        if folder and self.trainer.loggers and self.trainer.is_global_zero:
            refuse_second_run(Path(folder))

    def go_on(self, checkpoint: Path, run: Path) -> None:
        """Write the logs of the resumed run where those before the checkpoint are."""
        start = start_of(checkpoint, run)
        if start is None or not self.trainer.loggers:
            return
        stated = stated_arguments(self.config["fit"]["trainer"]["logger"], str(self.trainer.default_root_dir))
        self.trainer.loggers = continue_loggers(self.trainer.loggers, stated, start, steps_of(checkpoint))
        if Path(self.trainer.log_dir or "") == run / start and self.trainer.is_global_zero:
            put_aside(run / start / CONFIG)
            put_aside(run / start / METRICS)

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
            parser_class=RecipeParser,
            parser_kwargs={"prog": program} | {name: {"usage": usage.format(name)} for name in names},
        )
    except SIGTERMException as error:  # Lightning's, with the status of success
        print(f"{program}: terminated. {' '.join(getattr(error, '__notes__', []))}", file=sys.stderr)
        raise SystemExit(TERMINATED) from None
    except ValueError as error:
        # jsonargparse wraps the sentence of a constructor in a dump of all its arguments.
        if str(error).startswith("Does not validate") and error.__cause__ is not None:
            raise error.__cause__ from None
        raise
