"""``hime fit | validate | test | predict``."""

from hime.training.perception import PerceptionSuperResolver
from hime.training.reconstruction import ReconstructionSuperResolver
from hime.training.super_resolver import SuperResolver
from portraitdata.exemplars.datamodule import ExemplarDataModule
from portraitdata.exemplars.synthetic_datamodule import SyntheticExemplarDataModule
from portraitdata.training.recipe_cli import run_recipe

SHORT_NAMES = ReconstructionSuperResolver, PerceptionSuperResolver, SyntheticExemplarDataModule
"""Imported so that their short names are known on the command line."""


def run() -> None:
    """Run a training command, see `run_recipe`."""
    run_recipe("hime", SuperResolver, ExemplarDataModule)
