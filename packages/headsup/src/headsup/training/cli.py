"""``headsup fit | validate | test | predict``."""

from lightning.pytorch import LightningModule

from headsup.model.prompts import ConstantPrompt, IndexPrompts, TaggedPrompts
from headsup.training.autoencoder import AutoencoderTrainer
from headsup.training.denoiser import DenoiserTrainer
from headsup.training.moving_average import GeneratorAverage
from headsup.training.panels import RestorationPanels
from headsup.training.restorer import RestorerTrainer
from portraitdata.restoration.datamodule import RestorationDataModule
from portraitdata.restoration.synthetic_datamodule import SyntheticRestorationDataModule
from portraitdata.training.recipe_cli import run_recipe

SHORT_NAMES = (
    AutoencoderTrainer,
    DenoiserTrainer,
    RestorerTrainer,
    GeneratorAverage,
    RestorationPanels,
    ConstantPrompt,
    IndexPrompts,
    TaggedPrompts,
    SyntheticRestorationDataModule,
)
"""Imported so that their short names are known on the command line."""


def run() -> None:
    """Run a training command, see `run_recipe`."""
    run_recipe("headsup", LightningModule, RestorationDataModule)
