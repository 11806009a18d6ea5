"""Means over batches, and over two processes that share the images."""

import json
import subprocess
import sys

import pytest
import torch

from portraitdata.scoring.mean_scores import MeanScores


def test_every_value_counts_alike_in_batches_of_any_size():
    values = torch.rand(7, generator=torch.Generator().manual_seed(0))
    scores = MeanScores(("psnr", "ssim"))
    for part in values.split((1, 4, 2)):
        scores.add("psnr", part)
        scores.add("ssim", 1 - part)
    found = scores.compute()
    assert found["psnr"].item() == pytest.approx(values.mean().item())
    assert found["ssim"].item() == pytest.approx(1 - values.mean().item())


def test_forgets_on_reset_and_is_nan_without_values():
    scores = MeanScores(("identity",))
    scores.add("identity", torch.ones(2))
    scores.reset()
    assert scores.compute()["identity"].isnan()
    scores.add("identity", torch.zeros(0))
    assert scores.compute()["identity"].isnan()
    scores.add("identity", torch.tensor([0.5]))
    assert scores.compute()["identity"].item() == 0.5


def test_what_is_no_number_is_not_left_out():
    scores = MeanScores(("psnr", "ssim"))
    scores.add("psnr", torch.tensor([30.0, torch.nan]))
    scores.add("ssim", torch.tensor([0.5, 1.0]))
    found = scores.compute()
    assert found["psnr"].isnan()
    assert found["ssim"].item() == 0.75


def test_is_in_no_checkpoint():
    scores = MeanScores(("psnr",))
    scores.add("psnr", torch.ones(2))
    assert not scores.state_dict()
    assert not list(scores.parameters())


PROCESS = """
import json, sys
import torch
import torch.distributed as dist
from portraitdata.scoring.mean_scores import MeanScores

rank, store, output = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
scores = MeanScores(("psnr", "identity"))
# 4 images for one process and 1 for the other, so that a mean of means is another number; no face for the first
scores.add("psnr", torch.tensor([[20.0, 21.0, 22.0, 23.0], [40.0]][rank]))
if rank == 1:
    scores.add("identity", torch.tensor([0.25, 0.75]))
values = {name: value.item() for name, value in scores.compute().items()}
dist.barrier()
dist.destroy_process_group()
with open(output, "w") as file:
    json.dump(values, file)
"""


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    outputs = [tmp_path / name for name in ("first", "second")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), str(tmp_path / "store"), str(output)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, output in enumerate(outputs)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors
    for output in outputs:
        assert json.loads(output.read_text()) == {"psnr": pytest.approx(126 / 5), "identity": 0.5}
