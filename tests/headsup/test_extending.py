"""What docs/extend.md shows of data, a network, a loss and a metric runs, and is short."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceops.images.files import Picture, save_picture

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text()

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


def blocks(title: str) -> dict[str, str]:
    """Python and YAML of a section, by file suffix."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"```(python|yaml)\n(.*?)```", section, re.DOTALL)
    return {{"python": "py", "yaml": "yaml"}[language]: code for language, code in found}


def write_example(folder: Path, title: str, module: str) -> None:
    for suffix, code in blocks(title).items():
        (folder / f"{module}.{suffix}").write_text(code)


def run(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    monkeypatch.setattr(sys, "argv", list(argv))
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder, from which modules are imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("title", ["Data", "A network", "A loss", "A metric"])
def test_examples_are_short(title: str) -> None:
    lines = [line for code in blocks(title).values() for line in code.splitlines() if line.strip()]
    assert 4 < len(lines) <= 30


@pytest.mark.parametrize(
    ("title", "module", "logged"),
    [
        ("Data", "own_data", "train/l2"),
        ("A network", "own_network", "val/psnr"),
        ("A loss", "own_loss", "train/variation"),
    ],
)
def test_examples_train(title: str, module: str, logged: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from headsup.cli import main

    write_example(folder, title, module)
    for name, side in (("HR", 64), ("LR", 16)):
        (folder / "pairs" / name).mkdir(parents=True)
        for picture in ("a", "b"):
            save_picture(Picture(torch.rand(3, side, side)), folder / "pairs" / name / f"{picture}.png")
    smoke = ROOT / "lightning_configs" / "headsup" / "smoke.yaml"
    steps = ("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--checkpoint.every_n_train_steps", "2")
    logger = ("--trainer.logger", "lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir", "logs")
    quiet = ("--trainer.enable_progress_bar", "false")
    configs = ("--config", str(smoke), "--config", f"{module}.yaml")
    run(main, monkeypatch, "headsup", "fit", *configs, *steps, *logger, *quiet)
    (last,) = folder.rglob("last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == 2
    (table,) = folder.rglob("metrics.csv")
    assert logged in table.read_text().splitlines()[0].split(",")


def test_the_metric_scores(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from portraitdata.cli import main

    write_example(folder, "A metric", "own_metric")
    for name, value in (("truth", 51), ("restored", 102)):
        (folder / name).mkdir()
        save_picture(Picture(torch.full((3, 16, 16), value / 255)), folder / name / "a.png")
    (command,) = re.findall(r"PYTHONPATH=\. portraitdata (score .*)", PAGE)
    run(main, monkeypatch, "portraitdata", *command.split(), "--json")
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["largest"] == pytest.approx(0.2)
