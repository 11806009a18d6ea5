"""What a GPU makes of it: the same results as the CPU's; restoring, training and single operators at real sizes.

Stable Diffusion 2.1 has random weights here: time and memory are those of the real one, the pictures are not. Every
time is the median of turns between which the device was waited for; memory is the most that torch had allocated.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor

from benchmarks.hime.multiply_accumulates import multiply_accumulates
from benchmarks.peers.rlfn import RLFN
from benchmarks.reporting.table import Cell, LeftOutError, Suite, Table
from benchmarks.speed.correlation_loss import WINDOWS, loss_by_unfold
from benchmarks.speed.timing import gradients
from faceops.images.files import Picture
from headsup.model.backbone import load_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.prompts import ConstantPrompt
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.merging import merge_adapters
from hime.blocks.deformable import deform_conv2d_by_sampling, deform_conv2d_by_torchvision
from hime.losses.charbonnier import charbonnier_loss
from hime.losses.correlation import correlation_loss
from hime.network import HIME
from hime.variants import TABLE_1, build_variant
from hime.weights.files import load_network
from portraitdata.images.resampling import bicubic
from portraitdata.images.simulated_views import astronaut

TURNS = 7
SIDES = 512, 1024, 2048
"""Sides of the restored pictures, in pixels; tiles are of 1024."""
BATCH = 64
REFERENCES = 3
COPIED = 2**30
"""Bytes of the copy that tells how fast the memory is."""


def measure(suite: Suite) -> list[Table]:
    """All tables.

    Raises:
        LeftOutError: If there is no CUDA device.
    """
    if not torch.cuda.is_available():
        raise LeftOutError("needs a CUDA device")
    return [agreement("cuda"), restoring("cuda"), operators("cuda"), networks("cuda")]


def agreement(device: str) -> Table:
    """Shipped networks on the device against the CPU in float32, on a real face."""
    face = bicubic(astronaut(), 128, 128).clamp(0, 1)
    rows: list[tuple[Cell, ...]] = []
    for name in ("small-x8", "small-x4"):
        network = load_network(name)
        side = 128 // network.scale
        inputs = bicubic(face, side, side), torch.stack([face, face.flip(2)])
        rows.append((f"hime {name}", *differences(partial(upscaled, network, inputs), device)))
    small = bicubic(face, 64, 64)
    rows.append(("headsup tiny", *differences(partial(restored_by_tiny, small), device)))
    columns = "network", "largest difference", "mean difference", "largest, bfloat16", "mean, bfloat16"
    title = "Results on the GPU against those of the CPU in float32, in grey levels of 255"
    note = "Convolutions on the GPU are in TF32, torch's default: 10 bits of mantissa, as float16 has."
    return Table("gpu_agreement", title, columns, tuple(rows), note=note)


Where = tuple[str, bool]
"""Device, and whether in bfloat16."""


def differences(run: Callable[[Where], Tensor], device: str) -> list[float]:
    """Largest and mean difference from the CPU in float32, then in bfloat16."""
    truth = run(("cpu", False))
    apart = [(run((device, low)) - truth).abs() * 255 for low in (False, True)]
    return [value for each in apart for value in (each.max().item(), each.mean().item())]


@torch.inference_mode()
def upscaled(network: HIME, inputs: tuple[Tensor, Tensor], where: Where) -> Tensor:
    """Face of a network of HIME."""
    device, low = where
    lr, references = (tensor[None].to(device) for tensor in inputs)
    with torch.autocast(device, torch.bfloat16, enabled=low):
        return network.to(device)(lr, references).float().clamp(0, 1).cpu()


def restored_by_tiny(face: Tensor, where: Where) -> Tensor:
    """Face restored with the shipped weights."""
    restorer = PhotoRestorer.load("tiny", device=where[0], bfloat16=where[1])
    return restorer(Picture(face), RestoreOptions(scale=4.0)).picture.pixels.float()


def restoring(device: str, base: str = "random:sd21", sides: tuple[int, ...] = SIDES) -> Table:
    """Stages of restoring with Stable Diffusion 2.1, as `headsup restore` does it, and their memory."""
    rows = []
    for low in (False, True):
        with torch.device(device):  # a GPU draws a thousand million weights in less time
            backbone = load_backbone(base)
        restorer = OneStepRestorer(backbone)
        merge_adapters(restorer)
        restorer.to(torch.bfloat16 if low else torch.float32)
        prompts = ConstantPrompt()
        prompts.prepare(base)
        whole = PhotoRestorer(restorer, "placed", prompts, torch.device(device))
        weights = sum(p.numel() * p.element_size() for p in restorer.parameters()) / 1e9
        for side in sides:
            picture = Picture(bicubic(astronaut(), side // 4, side // 4).clamp(0, 1))
            seconds, peak = stages(partial(seconds_of, whole, picture))
            row = "bfloat16" if low else "float32", f"{side} x {side}", weights, peak
            rows.append((*row, seconds["encode"], seconds["denoise"], seconds["decode"], sum(seconds.values())))
        del whole, restorer
    columns = "weights are", "result", "weights (GB)", "peak (GB)", "encode (s)", "denoise (s)", "decode (s)", "all (s)"
    title = "Restoring one picture with the architecture of Stable Diffusion 2.1"
    return Table("gpu_restoring", title, columns, tuple(rows), columns[4:7], "s")


def seconds_of(restorer: PhotoRestorer, picture: Picture) -> dict[str, float]:
    """Seconds of each stage of restoring a picture."""
    return restorer(picture, RestoreOptions(scale=4.0)).seconds


def stages(run: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float]:
    """Median seconds of each stage, and the peak of the memory in GB."""
    run()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    turns = [run() for _ in range(TURNS)]
    peak = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0
    return {stage: median(turn[stage] for turn in turns) for stage in turns[0]}, peak


def operators(device: str, side: int = 128, images: int = BATCH) -> Table:
    """Correlation loss and deformable convolution, forward and backward, against the common way."""
    generator = torch.Generator().manual_seed(0)
    sr, hr = torch.rand(2, images, 3, side, side, generator=generator).to(device)
    sr.requires_grad_()
    rows: list[tuple[str, float, float, float, float, float]] = []
    for window in WINDOWS:
        pair = [partial(gradients, partial(loss, sr, hr, window), [sr]) for loss in (loss_by_unfold, correlation_loss)]
        rows.append(compared(f"correlation loss, k = {window}, against unfold", pair))
    for small in (16, 32):
        shapes = (32, 8 * 18, 8 * 9)
        tensors = [torch.randn(images, channels, small, small, generator=generator) for channels in shapes]
        tensors = [t.to(device) for t in (*tensors, torch.randn(32, 32, 3, 3, generator=generator))]
        tensors[2].sigmoid_()
        for tensor in tensors:
            tensor.requires_grad_()
        ways = deform_conv2d_by_sampling, deform_conv2d_by_torchvision
        pair = [partial(gradients, partial(way, *tensors), tensors) for way in ways]
        rows.append(compared(f"deformable convolution, {small} x {small}, against sampling", pair))
    columns = "operator", "common ms", "ours ms", "times faster", "common peak (MB)", "ours peak (MB)"
    title = f"Forward and backward of {images} images, the common way and what is used on the GPU"
    note = f"The memory of this device copies {copied_bytes(device) / 1e9:.0f} GB a second, read and written."
    return Table("gpu_operators", title, columns, tuple(rows), columns[1:3], "ms", note)


def compared(name: str, runs: Sequence[Callable[[], object]]) -> tuple[str, float, float, float, float, float]:
    """Row of two ways to do the same."""
    found = [timed(run) for run in runs]
    (common, common_peak), (ours, our_peak) = found
    return name, 1e3 * common, 1e3 * ours, common / ours, common_peak / 1e6, our_peak / 1e6


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Median seconds, and bytes allocated above what there was before."""
    seconds = []
    for turn in range(TURNS + 3):
        wait()
        if turn == 3 and torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    held = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
    peak = torch.cuda.max_memory_allocated() - held if torch.cuda.is_available() else 0
    return median(seconds[3:]), peak


def wait() -> None:
    """Until the device has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def copied_bytes(device: str) -> float:
    """Bytes read and written a second by a copy."""
    source = torch.empty(COPIED if device == "cuda" else 2**24, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * source.numel() / timed(lambda: target.copy_(source))[0]


def networks(device: str, batch: int = BATCH) -> Table:
    """HIME of every row of Table 1 beside a public small network: images a second, in training and after."""
    rows = []
    for (variant, side, scale), _ in TABLE_1.items():
        network = build_variant(variant, scale).to(device)
        # off the grid, as in training; it starts at zero
        torch.nn.init.normal_(network.get_parameter("alignment.estimator.head.weight"), std=0.02)
        lr = torch.rand(batch, 3, side, side, device=device)
        references = torch.rand(batch, REFERENCES, 3, side * scale, side * scale, device=device)
        hr = references[:, 0].contiguous()
        macs = multiply_accumulates(network, partial(network, lr[:1], references[:1]))
        inference, peak = timed(partial(inferred, partial(network, lr, references)))
        training, training_peak = timed(training_step(network, lr, references, hr))
        name = f"{variant} ({side}, {scale})"
        rows.append(row_of(name, macs, batch, (inference, peak, training, training_peak)))
    peer = RLFN().to(device).eval()
    lr = torch.rand(batch, 3, 32, 32, device=device)
    macs = multiply_accumulates(peer, lambda: peer(lr[:1]))
    inference, peak = timed(lambda: inferred(lambda: peer(lr)))
    rows.append(
        ("RLFN (32, 4)", macs / 1e9, batch / inference, peak / 1e9, 2 * macs * batch / inference / 1e12, "", "")
    )
    columns = (
        *("network", "GMACs", "images a second", "peak (GB)", "TFLOP/s"),
        *("images a second in training", "peak in training (GB)"),
    )
    title = f"Networks of HIME with {REFERENCES} references, batch {batch}, float32 (TF32 in convolutions)"
    return Table("gpu_networks", title, columns, tuple(rows), columns[2:3], "images a second")


def row_of(name: str, macs: int, batch: int, found: tuple[float, float, float, float]) -> tuple[str | float, ...]:
    """Row of a network of HIME."""
    inference, peak, training, training_peak = found
    rate = 2 * macs * batch / inference / 1e12
    return name, macs / 1e9, batch / inference, peak / 1e9, rate, batch / training, training_peak / 1e9


@torch.inference_mode()
def inferred(run: Callable[[], Tensor]) -> Tensor:
    """Result without gradients."""
    return run()


def training_step(network: HIME, lr: Tensor, references: Tensor, hr: Tensor) -> Callable[[], None]:
    """A step of the reconstruction-oriented recipe."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        sr = network(lr, references)
        loss = charbonnier_loss(sr, hr) + correlation_loss(sr, hr)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step
