"""One denoiser in three roles trains like three denoisers, but for rounding."""

import pytest
import torch
import torch.nn.functional as F

from benchmarks.peers.three_copies import ThreeCopies
from headsup.losses.distillation import Distillation, prior_gradient, regularizer_loss
from headsup.losses.score_distillation import score_distillation_loss
from headsup.model.backbone import random_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.reference_attention import References
from headsup.model.seeded_noise import generators


def data(step: int):
    generator = torch.Generator().manual_seed(step)
    lq, hq = torch.rand(2, 2, 3, 32, 32, generator=generator)
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 1:3] = 1
    faces, prompt = torch.rand(2, 3, 32, 32, generator=generator), torch.randn(2, 7, 64, generator=generator)
    first = torch.zeros(1, dtype=torch.long)
    return lq, hq, References(faces[:1], first, first, torch.eye(3)[None, :2], mask[:1]), prompt


def trained_state(restorer: OneStepRestorer) -> dict[str, torch.Tensor]:
    """Names and values of all that is trained."""
    named = restorer.generator_parameters() | restorer.regularizer_parameters()
    return {name: parameter.detach() for name, parameter in named.items()}


def trained(restorer: OneStepRestorer, checkpointing: bool, steps: int = 3):
    """Losses and parameters after whole steps: the generator by VSD and L2, then the regularizer.

    With AdamW's usual eps the steps would be as large where the gradient is nothing but rounding.
    """
    if checkpointing:
        restorer.checkpoint_activations()
    negative = torch.randn(1, 7, 64, generator=torch.Generator().manual_seed(99))
    optimizers = [
        torch.optim.AdamW(parameters.values(), lr=1e-2, eps=1e-2)
        for parameters in (restorer.generator_parameters(), restorer.regularizer_parameters())
    ]
    losses = []
    for step in range(steps):
        lq, hq, references, prompt = data(step)
        sources = generators(0, step, range(len(lq)), "cpu")
        restored, z, _ = restorer(lq, prompt, references, "whole")
        gradient = prior_gradient(restorer, z.detach(), prompt, negative, Distillation(), sources)
        loss = F.mse_loss(restored, hq) + score_distillation_loss(z, gradient)
        loss.backward()
        with restorer.switch.using("regularizer"):
            own = regularizer_loss(restorer, z, prompt, sources)
            own.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses += [loss.item(), own.item()]
    return losses, trained_state(restorer)


def assert_same(found, expected) -> None:
    """Parameters move by up to 0.03; other kernels move them by up to 0.00002 from each other."""
    (losses, parameters), (expected_losses, expected_parameters) = found, expected
    assert losses == pytest.approx(expected_losses, rel=1e-4)
    torch.testing.assert_close(parameters, expected_parameters, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def copies():
    return trained(ThreeCopies(random_backbone("tiny")), checkpointing=False)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_one_shared_denoiser_equals_three(copies, checkpointing):
    restorer = OneStepRestorer(random_backbone("tiny"))
    start = {name: value.clone() for name, value in trained_state(restorer).items()}
    found = trained(restorer, checkpointing)
    assert_same(found, copies)
    shared = found[1]
    changed = [name for name, value in shared.items() if not value.equal(start[name])]
    assert len(changed) > 0.95 * len(shared)


def test_three_copies_share_nothing():
    restorer = ThreeCopies(random_backbone("tiny"))
    networks = restorer.unet, restorer.regularizer, restorer.teacher
    kept = [{p.data_ptr() for p in network.parameters()} for network in networks]
    assert not kept[0] & kept[1]
    assert not kept[1] & kept[2]
    assert not kept[0] & kept[2]
    assert not any("regularizer" in name for name, _ in restorer.unet.named_parameters())


@pytest.mark.slow
def test_checkpointed_copies_equal_the_others(copies):
    assert_same(trained(ThreeCopies(random_backbone("tiny")), checkpointing=True), copies)
