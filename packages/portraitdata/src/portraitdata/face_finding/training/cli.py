"""``portraitdata fit | validate | test | predict``."""

from portraitdata.face_finding.datamodule import FaceSceneDataModule
from portraitdata.face_finding.training.recipe import FaceFinder
from portraitdata.training.recipe_cli import run_recipe


def run() -> None:
    """Run a training command, see `run_recipe`."""
    run_recipe("portraitdata", FaceFinder, FaceSceneDataModule)
