"""What the training commands tell whoever started them."""

import signal
from typing import NoReturn

import pytest
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.utilities.exceptions import SIGTERMException

from portraitdata.training import recipe_cli


class Terminated(recipe_cli.RecipeCLI):
    """A run that is told to end, as Lightning's loops then end."""

    def __init__(self, *_: object, **__: object) -> NoReturn:
        raise SIGTERMException


def test_a_terminated_run_does_not_end_as_a_finished_one(monkeypatch, capsys) -> None:
    monkeypatch.setattr(recipe_cli, "RecipeCLI", Terminated)
    with pytest.raises(SystemExit) as stop:
        recipe_cli.run_recipe("hime", LightningModule, LightningDataModule)
    assert stop.value.code == 128 + signal.SIGTERM
    assert "hime: terminated; --ckpt_path last goes on" in capsys.readouterr().err
