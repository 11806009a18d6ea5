"""One training step of the restorer: a denoiser in three roles beside a denoiser for each, in processes of their own.

Random weights of Stable Diffusion 2.1, L2 and variational score distillation, generator and regularizer stepped. Losses
on features and faces are left out: they are the same for both.
"""

import json
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

from benchmarks.peers.three_copies import ThreeCopies
from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.machine_limits import machine_limits
from benchmarks.speed.timing import peak_bytes
from headsup.losses.distillation import Distillation, prior_gradient, regularizer_loss
from headsup.losses.score_distillation import score_distillation_loss
from headsup.model.backbone import load_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.seeded_noise import generators
from headsup.profiling.profile_report import report_profile

DESIGNS = {"one base": OneStepRestorer, "three copies": ThreeCopies}
CPU_SIZE = 256
"""Side of the image on a CPU, in pixels."""
GPU_SIZES = 512, 1024


def measure(suite: Suite) -> list[Table]:
    """Peak memory and time of a step of each design."""
    sizes = GPU_SIZES if torch.cuda.is_available() else (CPU_SIZE,)
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    limits = machine_limits(time.perf_counter, dtype, device)
    rows: list[tuple[str | float, ...]] = []
    for size in sizes:
        least = limits.seconds(report_profile("sd21", size, "train").macs_in_all)
        for design in DESIGNS:
            found = in_a_process(design, size)
            figures = (found[name] for name in ("weights", "peak", "seconds", "loss"))
            rows.append((f"{design}, {size} px", *figures, least))
    columns = "design", "weights (GB)", "peak (GB)", "seconds a step", "loss", "limit (s)"
    # another name on a CPU, so that its figures are never published in place of a GPU's
    name, where = ("restorer_step", "GPU, bfloat16 base") if cuda else ("restorer_step_on_cpu", "CPU, float32")
    title = f"One training step of the restorer, Stable Diffusion 2.1 with random weights, batch 1, {where}"
    note = (
        "The limit is by the multiply-accumulates of the networks in all their passes, with those that checkpointing "
        f"repeats, at {limits.multiplications / 1e9:.0f} G of a matrix product in a second here; that of the memory is "
        "the weights."
    )
    return [Table(name, title, columns, tuple(rows), columns[1:3], "GB", note)]


def in_a_process(design: str, size: int) -> dict[str, float]:
    """Measure a design alone, so that the peak is its own."""
    command = [sys.executable, "-m", "benchmarks.speed.restorer_step", design, str(size), str(torch.get_num_threads())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def step_of(design: str, size: int) -> dict[str, float]:
    """Two steps, of which the second is timed; the loss shows that both designs do the same."""
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    with torch.device(device):  # a GPU draws a thousand million weights in less time
        backbone = load_backbone("random:sd21", dtype)
    restorer = DESIGNS[design](backbone).to(device)
    restorer.checkpoint_activations()
    optimizers = [
        torch.optim.AdamW(list(parameters.values()), lr=5e-5)
        for parameters in (restorer.generator_parameters(), restorer.regularizer_parameters())
    ]
    weights = sum(p.numel() * p.element_size() for p in restorer.parameters())
    random = torch.Generator().manual_seed(0)
    lq, hq = (torch.rand(1, 3, size, size, generator=random).to(device) for _ in range(2))
    prompt, negative = (torch.randn(1, 77, 1024, generator=random).to(device) for _ in range(2))
    losses = []
    for number in range(2):
        start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=cuda, cache_enabled=False):
            image, z, _ = restorer(lq, prompt)
            sources = generators(0, number, range(1), device)
            gradient = prior_gradient(restorer, z.detach(), prompt, negative, Distillation(), sources)
            loss = F.mse_loss(image, hq) + score_distillation_loss(z, gradient)
        loss.backward()
        with restorer.switch.using("regularizer"):
            with torch.autocast(device, torch.bfloat16, enabled=cuda, cache_enabled=False):
                other = regularizer_loss(restorer, z, prompt, generators(1, number, range(1), device))
            other.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item() + other.item())
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() if cuda else peak_bytes()
    return {"weights": weights / 1e9, "peak": peak / 1e9, "seconds": seconds, "loss": losses[-1]}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    print(json.dumps(step_of(sys.argv[1], int(sys.argv[2]))))
