"""The pattern of squares of 2 x 2 pixels: told from texture and from errors that have no place."""

import numpy as np
import torch

from headsup.losses.objective import LossWeights, Objective
from headsup.losses.pixel_grid import pixel_grid_loss
from tests.headsup.test_objective import NOTHING, batch


def by_hand(restored: np.ndarray, truth: np.ndarray, window: int) -> float:
    """The loss in loops, of pictures of one colour whose sides are multiples of the window."""
    error = np.pad(restored - truth, 1, mode="edge")
    height, width = truth.shape
    band = np.empty_like(truth)
    for y in range(height):
        for x in range(width):
            piece = error[y : y + 3, x : x + 3]
            band[y, x] = piece[1, 1] - (piece * [[1, 2, 1], [2, 4, 2], [1, 2, 1]]).sum() / 16
    distances = []
    for top in range(0, height, window):
        for left in range(0, width, window):
            piece = band[top : top + window, left : left + window]
            means = np.array([piece[y::2, x::2].mean() for y in (0, 1) for x in (0, 1)])
            distances += [abs(means - means.mean())]
    return float(np.mean(distances))


def test_it_is_what_loops_find() -> None:
    rng = np.random.default_rng(0)
    restored, truth = rng.random((2, 16, 24))
    images = [torch.from_numpy(x).float().expand(1, 3, -1, -1) for x in (restored, truth)]
    found = pixel_grid_loss(images[0], images[1], window=8).item()
    assert abs(found - by_hand(restored, truth, 8)) < 1e-6


def test_a_pattern_counts_and_texture_of_as_much_energy_hardly() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(1, 3, 128, 128, generator=generator)
    pattern = torch.zeros_like(truth)
    pattern[..., ::2, ::2], pattern[..., 1::2, 1::2] = 0.05, -0.05
    texture = pattern.abs().std() * torch.randn(truth.shape, generator=generator)
    of_pattern, of_texture = (pixel_grid_loss(truth + x, truth) for x in (pattern, texture))
    assert of_pattern > 5 * of_texture
    assert pixel_grid_loss(truth, truth) == 0


def test_descent_takes_the_pattern_away() -> None:
    truth = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    restored = truth.clone()
    restored[..., ::2, ::2] += 0.1
    restored.requires_grad_()
    objective = Objective(LossWeights(**{**vars(NOTHING), "grid": 3.0}), None, None)
    terms = objective(restored, batch(truth), None)
    assert terms.keys() == {"grid"}
    torch.testing.assert_close(terms["grid"], 3 * pixel_grid_loss(restored, truth))
    terms["grid"].backward()
    assert restored.grad[..., ::2, ::2].mean() > 0
    assert restored.grad[..., 1::2, ::2].mean() < 0
