"""The trainings behind HIME's ablations, in miniature: `hime fit` on the files of the paper's tables, minutes each.

Networks this small gain nothing from a second thread, so that each has one, and several are trained at a time. A
training that has been finished is not run again; one that was stopped begins anew, so that its curve is whole.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from benchmarks.photographs import photographs
from portraitdata.exemplars.sources.layouts import assign_splits, scan_layout
from portraitdata.exemplars.splits import read_split

CONFIGS = Path("lightning_configs/hime")
FOLDER = Path("outputs/benchmarks/hime_miniature")
"""Where the weights, the runs and the index lie."""


@dataclass(frozen=True)
class Training:
    """An experiment of the paper.

    Args:
        name: Name of its files.
        deltas: Files laid over `reconstruction.yaml`, below lightning_configs/hime, without their ending.
        after: Training whose weights it starts from.
        arguments: More arguments of `hime fit`.
        backbone: Network of the perceptual loss, a file in the folder of `photographs`.
    """

    name: str
    deltas: tuple[str, ...] = ()
    after: "Training | None" = None
    arguments: tuple[str, ...] = ()
    backbone: str = ""

    @property
    def files(self) -> list[Path]:
        """Configurations, each laid over those before it."""
        return [CONFIGS / f"{name}.yaml" for name in ("reconstruction", *self.deltas)]

    @property
    def weights(self) -> Path:
        """Weights that it makes."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def finished(self) -> bool:
        """Whether they are there."""
        return self.weights.is_file()

    @property
    def curve(self) -> Path:
        """Losses and scores by step, a CSV file."""
        return FOLDER / "runs" / self.name / "run" / "metrics.csv"


def train(trainings: Iterable[Training]) -> None:
    """Run those that are not finished, as many at a time as PyTorch has threads; what others start from comes first.

    Raises:
        NoPhotographsError: If there is one to be run and LFW is not there.
        subprocess.CalledProcessError: If one fails.
        RuntimeError: If one is stopped.
    """
    wanted = dict.fromkeys(one for one in trainings if not one.finished)
    if not wanted:
        return
    train(one.after for one in wanted if one.after is not None)
    index = lfw_index()
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(lambda one: _run(one, index), wanted):
            pass


def lfw_index() -> Path:
    """Index of LFW with the split of the shipped weights, made if it is not there.

    Raises:
        NoPhotographsError: If LFW is not there.
    """
    index = FOLDER / "lfw.parquet"
    if not index.is_file():
        archive = photographs() / "images/lfw_min4_max10.tar"
        found = scan_layout(archive, "tar", None, min_side=64, verify=False)
        FOLDER.mkdir(parents=True, exist_ok=True)
        split = read_split(CONFIGS / "lfw/split.csv")
        assign_splits(found.index, split, test_identities=None, min_images=4, seed=0).write(index)
    return index


def _run(training: Training, index: Path) -> None:
    runs = FOLDER / "runs"
    run = runs / training.name / "run"
    shutil.rmtree(run, ignore_errors=True)
    options = [
        *(word for path in (*training.files, CONFIGS / "miniature.yaml") for word in ("--config", str(path))),
        *("--data.init_args.index", str(index)),
        *("--trainer.logger.init_args.save_dir", str(runs)),
        *("--trainer.logger.init_args.name", training.name, "--trainer.logger.init_args.version", "run"),
        *training.arguments,
    ]
    if training.after is not None:
        options += ["--model.init_args.initial_weights", str(training.after.weights)]
    if training.backbone:
        options += ["--model.init_args.backbone", str(photographs() / training.backbone)]
    hime = sys.executable, "-m", "hime"
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    subprocess.run([*hime, "fit", *options], check=True, env=environment)
    if not at_its_end(run):
        raise RuntimeError(f"The training {training.name} was stopped; the same command begins it anew.")
    last = run / "checkpoints/last.ckpt"
    subprocess.run([*hime, "export", str(last), "--output", str(training.weights)], check=True, env=environment)


def at_its_end(run: Path) -> bool:
    """Whether a run has a checkpoint of its last step: training that is asked to end does so without an error.

    Args:
        run: Folder with its config and checkpoints.
    """
    steps = yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_steps"]
    return any((run / "checkpoints").glob(f"*step={steps}.ckpt"))
