"""One training on two machines, played by two processes over gloo."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

CONFIGS = Path(__file__).parents[2] / "lightning_configs"
FILES = CONFIGS / "hime" / "smoke.yaml", CONFIGS / "nodes" / "two.yaml"
OPTIONS = {
    "--data.init_args.people": "4",
    "--data.init_args.size": "64",
    "--trainer.limit_val_batches": "0",
    "--checkpoint.every_n_train_steps": "2",
}


def fit(folder: Path, *argv: str) -> list[str]:
    """Run the same command on both machines and give what each has said."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configs = [word for path in FILES for word in ("-c", str(path))]
    command = [sys.executable, "-m", "hime", "fit", *configs, *(w for pair in OPTIONS.items() for w in pair), *argv]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    machines = [
        subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | address | {"NODE_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    told = [machine.communicate(timeout=900)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], told
    return told


@pytest.mark.slow
def test_two_machines_train_one_run_and_go_on_with_it(tmp_path: Path) -> None:
    first, second = fit(tmp_path, "--trainer.max_steps", "2")
    assert "step 2 of 2" in first
    assert "step 2 of 2" not in second
    fit(tmp_path, "--trainer.max_steps", "4", "--ckpt_path", "last")
    assert os.listdir(tmp_path / "runs" / "smoke") == ["version_0"]
    kept = tmp_path / "runs" / "smoke" / "version_0" / "checkpoints" / "last.ckpt"
    assert torch.load(kept, weights_only=True)["global_step"] == 4
