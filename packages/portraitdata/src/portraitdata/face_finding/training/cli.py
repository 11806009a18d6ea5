"""``portraitdata fit | validate | test | predict``."""

from portraitdata.training.recipe_cli import run_recipe


def run() -> None:
    """Run a training command, see `run_recipe`."""
    from lightning.pytorch import LightningDataModule, LightningModule

    run_recipe("portraitdata", LightningModule, LightningDataModule)
