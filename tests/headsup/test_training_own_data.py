"""`headsup fit` on the data module and by the config that docs/extend.md shows."""

import re
import sys
from pathlib import Path

import pytest
import torch

from faceops.images.files import Picture, save_picture
from headsup.cli import main

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


def test_data_of_the_page_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "docs" / "extend.md").read_text().partition("## Data\n")[2].partition("\n## ")[0]
    for language, file in (("python", "own_data.py"), ("yaml", "own_data.yaml")):
        (code,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
        (tmp_path / file).write_text(code)
    for folder, side in (("HR", 64), ("LR", 16)):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for name in ("a", "b"):
            save_picture(Picture(torch.rand(3, side, side)), tmp_path / "pairs" / folder / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    configs = ("--config", str(ROOT / "lightning_configs" / "headsup" / "smoke.yaml"), "--config", "own_data.yaml")
    short = ("--trainer.max_steps", "2", "--checkpoint.every_n_train_steps", "2")
    monkeypatch.setattr(sys, "argv", ["headsup", "fit", *configs, *short, "--trainer.enable_progress_bar", "false"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    (last,) = tmp_path.rglob("last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == 2
