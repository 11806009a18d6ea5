"""Two processes that share the faces get the score of one that has them all."""

import json
import subprocess
import sys

import pytest

PROCESS = """
import json, sys
import torch
import torch.distributed as dist
from torch import nn
from faceops.metrics.boundary_artifact import BoundaryArtifact
from faceops.metrics.ida import IDA, IdaDaefr
from faceops.metrics.identity_score import IdentityScore
from faceops.metrics.landmark_distance import LandmarkDistance

torch.set_num_threads(1)
rank, world, store, output = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
torch.manual_seed(0)
a, b = torch.rand(2, 5, 3, 32, 32)
x, y = 100 * torch.rand(2, 5, 5, 2)
photos, masks = torch.rand(5, 3, 64, 64), torch.zeros(5, 1, 64, 64)
masks[:4, :, 16:48, 16:48] = 1   # the last has no seam
photos = photos * (1 - masks) + masks * (0.2 + 0.3 * photos)
present = torch.tensor([True, False, True, True, True])
def network(side, channels):
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 6))
metrics = {
    "identity": IdentityScore(network(32, 3)), "ida": IDA(network(32, 3)), "daefr": IdaDaefr(network(128, 1)),
    "landmarks": LandmarkDistance(), "boundary": BoundaryArtifact(),
}
# 4 faces for one process and 1 for the other, so that a mean of means is another number
mine = slice(0, 5) if world == 1 else slice(0, 4) if rank == 0 else slice(4, 5)
metrics["identity"].update(a[mine], b[mine], present[mine])
metrics["ida"].update(a[mine], b[mine])
metrics["daefr"].update(a[mine], b[mine], missing=2 if rank == 0 else 0)
metrics["landmarks"].update(x[mine], y[mine])
metrics["boundary"].update(photos[mine], masks[mine])
values = {name: metric.compute().item() for name, metric in metrics.items()}
if world > 1:
    again = {name: metric.compute().item() for name, metric in metrics.items()}
    assert again == values
    dist.barrier()
    dist.destroy_process_group()
with open(output, "w") as file:
    json.dump(values, file)
"""


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    outputs = [tmp_path / name for name in ("first", "second", "alone")]
    for world, names in ((2, outputs[:2]), (1, outputs[2:])):
        commands = [
            [sys.executable, "-c", PROCESS, str(rank), str(world), str(tmp_path / "store"), str(name)]
            for rank, name in enumerate(names)
        ]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
        for process in processes:
            _, errors = process.communicate(timeout=900)
            assert process.returncode == 0, errors
    first, second, alone = (json.loads(path.read_text()) for path in outputs)
    assert first == second
    assert first == pytest.approx(alone, rel=1e-5)
    assert min(alone.values()) != 0
