"""Counts of the restorer against hand counts, real passes, and the published sizes of Stable Diffusion 2.1."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from headsup.model.backbone import random_backbone
from headsup.model.guidance import Join
from headsup.model.one_step import OneStepRestorer
from headsup.model.settings import RestorerSettings
from headsup.profiling.activations import ActivationRecorder, Activations, bfloat16_autocast_of_cuda
from headsup.profiling.profile import Profile, count_macs, forward_passes, frozen_bytes, meta_restorer, profile_restorer
from headsup.profiling.profile_report import osediff_bytes, print_profile, report_profile


@pytest.fixture(scope="module")
def sd21() -> Profile:
    return profile_restorer("sd21", 1024)


@pytest.fixture(scope="module")
def small() -> Profile:
    return profile_restorer("tiny", 64)


@pytest.fixture(scope="module")
def tiny() -> OneStepRestorer:
    return OneStepRestorer(random_backbone("tiny"))


def test_parameters_of_stable_diffusion(sd21: Profile) -> None:
    counted = sd21.parameters
    assert counted["unet"] == 865_910_724
    assert counted["vae_encoder"] + counted["vae_decoder"] == 83_653_863
    assert counted["vae_encoder"] == 34_163_592 + 8 * 8 + 8  # quant_conv
    assert counted["vae_decoder"] == 49_490_179 + 4 * 4 + 4  # post_quant_conv
    assert counted["lora_regularizer"] == 4_055_712
    assert counted["lora_unet"] == 4_055_712 + 4 * 5 * 3 * 3  # A of the first convolution sees five channels more
    assert counted["lora_vae_encoder"] == 369_356
    assert counted["conv_in"] == 320 * (9 * 3 * 3 + 1)


def test_weights_in_memory(sd21: Profile) -> None:
    precise = 4 * (320 * 3 * 3 + 1)  # the last convolution is float32
    assert sd21.frozen_bytes == 2 * (865_910_724 + 83_653_863 + precise)
    assert sd21.frozen_bytes <= 2.5e9
    assert sd21.trained_bytes == 16 * (4_055_712 + 4_055_892 + 369_356 + 26_240)


def test_work_of_a_step(sd21: Profile) -> None:
    # Counted before by FlopCounterMode and the formula of attention, with a first convolution of four channels.
    further = 5 * 3 * 3 * (320 + 4) * 128**2
    assert (sd21.macs["unet"] - further) // 10**9 == 2349
    assert sd21.macs["vae_encoder"] // 10**9 == 2482
    assert sd21.macs["vae_decoder"] // 10**9 == 5235
    assert sd21.passes == {"unet": 9, "vae_encoder": 3, "vae_decoder": 3}
    assert sd21.macs_in_all == sum(sd21.macs[part] * passes for part, passes in sd21.passes.items())


def test_checkpointing_saves_most_of_the_activations(sd21: Profile) -> None:
    for found in sd21.activations.values():
        assert found.checkpointed < found.kept / 6
        assert found.checkpointed + found.recomputed < found.kept


def test_convention_tensors_need_no_memory() -> None:
    assert {parameter.device.type for parameter in meta_restorer("tiny").parameters()} == {"meta"}


def macs_by_hooks(network: nn.Module, run: Callable[[], Tensor]) -> int:
    """Work of a real pass: convolutions and linear layers by their shapes, attention by its formula.

    A join computes its first convolution without the module.
    """
    counted = 0

    def count(module: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        counted += output.numel() * math.prod(module.weight.shape[1:])

    def count_attention(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Tensor:
        nonlocal counted
        counted += query.numel() * key.shape[-2] + value.numel() * query.shape[-2]
        return attention(query, key, value, **settings)

    def count_join(join: Join, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        nonlocal counted
        counted += join.mix.weight.numel() * inputs[0].numel() // inputs[0].shape[1]

    attention = F.scaled_dot_product_attention
    kinds = nn.Conv2d | nn.Linear
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    hooks += [m.register_forward_hook(count_join) for m in network.modules() if isinstance(m, Join)]
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(F, "scaled_dot_product_attention", count_attention)
        run()
    for hook in hooks:
        hook.remove()
    return counted


def test_parity_of_the_work_with_a_real_pass(tiny: OneStepRestorer) -> None:
    counted = profile_restorer("tiny", 64, "restore")
    for part, (network, run) in forward_passes(tiny, 64).items():
        assert counted.macs[part] == macs_by_hooks(network, run)
    assert counted.macs_in_all == sum(counted.macs.values())


def saved_bytes(network: nn.Module, run: Callable[[], Tensor]) -> int:
    """Bytes that a real pass saves, memory that is shared counted once."""
    held: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), bfloat16_autocast_of_cuda():
        run()
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    return sum(storage.nbytes() for key, storage in held.items() if key not in weights)


def test_parity_of_the_activations_with_a_real_pass(small: Profile) -> None:
    backbone = random_backbone("tiny")
    for module in (backbone.vae, backbone.unet):
        nn.Module.to(module, torch.bfloat16)
    restorer = OneStepRestorer(backbone)
    counted = small.activations
    passes = forward_passes(restorer, 64)
    for part, (network, run) in passes.items():
        assert counted[part].kept == saved_bytes(network, run)
    restorer.checkpoint_activations()
    for part, (network, run) in passes.items():
        assert counted[part].checkpointed == saved_bytes(network, run)


def test_recorder_by_hand() -> None:
    x, weight = torch.ones(10, requires_grad=True), torch.ones(10, requires_grad=True)
    recorder = ActivationRecorder([weight])

    def block(value: Tensor) -> Tensor:
        inner = value.sin()  # saves its input, which is the block's
        return recorder.run_block(lambda v: v.cos(), inner)  # saves `inner`: 40 bytes

    with recorder.recording():
        between = (x * weight).exp()  # saves x (the weight is in memory anyway) and its own result
        recorder.run_block(block, between).square()  # saves its input, the block's result
    assert recorder.result() == Activations(kept=160, checkpointed=120, recomputed=40)


def test_normalisation_is_float32_as_on_cuda() -> None:
    x = torch.randn(1, 4, 3, 3, dtype=torch.bfloat16)
    with bfloat16_autocast_of_cuda():
        assert F.group_norm(x, 2).dtype == torch.float32
        assert F.layer_norm(x, (3,)).dtype == torch.float32
        assert F.conv2d(x.float(), torch.ones(1, 4, 1, 1)).dtype == torch.bfloat16


def test_macs_of_a_convolution() -> None:
    with FakeTensorMode():
        conv = nn.Conv2d(3, 5, 3, padding=1)
        assert count_macs(lambda: conv(torch.zeros(2, 3, 7, 11))) == 2 * 5 * 7 * 11 * 3 * 3 * 3


def test_frozen_bytes_are_those_of_the_real_module(tiny: OneStepRestorer) -> None:
    base = sum(
        p.numel() for p in (*random_backbone("tiny").vae.parameters(), *random_backbone("tiny").unet.parameters())
    )
    assert frozen_bytes(tiny) == 4 * base


@pytest.mark.parametrize("size", [0, -8, 100])
def test_sizes_that_do_not_fit(size: int) -> None:
    with pytest.raises(ValueError, match=rf"multiple of 8 pixels, got {size}\."):
        profile_restorer("tiny", size)


def test_osediff_holds_six_times_as_much(sd21: Profile) -> None:
    held = osediff_bytes(sd21.parameters)
    assert held["denoisers"] == pytest.approx(3.48e9 + 1.73e9 + 3.48e9, rel=1e-3)
    assert sum(held.values()) == pytest.approx(12.4e9, rel=5e-3)
    assert sum(held.values()) > 6 * (sd21.frozen_bytes + sd21.trained_bytes)


def test_report(small: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("headsup.profiling.profile_report.profile_restorer", lambda *_: small)
    report = report_profile("tiny", 64, "train")
    print_profile(report, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["architecture"] == "tiny"
    assert printed["parameters"]["unet"] == 5_208_608
    assert printed["activations"]["vae_decoder"]["kept"] == small.activations["vae_decoder"].kept
    assert printed["osediff_bytes"] is None
    print_profile(report, as_json=False)
    table = capsys.readouterr().out
    assert "5.209" in table
    assert "largest block again" in table


def test_table_of_stable_diffusion(
    sd21: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("headsup.profiling.profile_report.profile_restorer", lambda *_: sd21)
    print_profile(report_profile("sd21", 1024, "train"), as_json=False)
    table = capsys.readouterr().out
    for number in ("865.911", "2349.7", "1.899", "12.429"):
        assert number in table


def test_what_is_beyond_the_paper_is_counted() -> None:
    settings = RestorerSettings(guidance=8, references="attention", trained="all")
    restorer = replace(settings, base="random:tiny").build()
    counted, plain = profile_restorer("tiny", 64, "restore", settings), profile_restorer("tiny", 64, "restore")
    assert restorer.guidance is not None
    assert restorer.attention is not None
    for name, module in (("guidance", restorer.guidance), ("attention", restorer.attention)):
        assert counted.parameters[name] == sum(p.numel() for p in module.parameters())
    for part, (network, run) in forward_passes(restorer, 64).items():
        joins = 0
        if part == "vae_decoder":
            joins = macs_by_hooks(restorer.guidance, run)
        assert counted.macs[part] == macs_by_hooks(network, run) + joins
    assert counted.macs["vae_decoder"] > plain.macs["vae_decoder"]
    assert counted.frozen_bytes < plain.frozen_bytes / 100
    step = profile_restorer("tiny", 64, "train", settings)
    assert step.passes == {"unet": 10, "vae_encoder": 4, "vae_decoder": 4, "guidance": 3}
    assert step.activations["guidance"].kept > 0
