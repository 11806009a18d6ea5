"""Tiles cover, blend without seams, and equal the whole where the network sees no further than the margin."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hime.upscaling.tiling import Tiling, boxes, edge_weight, run_in_tiles, tile_starts

SETTINGS = settings(derandomize=True, deadline=None, max_examples=40)


@SETTINGS
@given(st.integers(1, 300), st.integers(2, 60), st.integers(0, 59))
def test_starts_cover_and_overlap(length: int, size: int, overlap: int) -> None:
    overlap = min(overlap, size - 1)
    starts = tile_starts(length, size, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - size)
    for a, b in pairwise(starts):
        assert a < b <= a + size - overlap


@SETTINGS
@given(st.integers(1, 150), st.integers(0, 6), st.integers(1, 8), st.integers(1, 20), st.integers(1, 4))
def test_every_pixel_has_weight(length: int, margin: int, ramp: int, inside: int, scale: int) -> None:
    tiling = Tiling(2 * margin + ramp + inside, margin, ramp)
    total = torch.zeros(length * scale)
    for start in tile_starts(length, tiling.size, tiling.overlap):
        size = min(tiling.size, length)
        total[start * scale : (start + size) * scale] += edge_weight(start, size, length, tiling, scale)
    assert total.min() > 0.99
    assert total.max() < 3.01


def test_weights_of_a_regular_grid_sum_to_one() -> None:
    tiling = Tiling(20, 3, 4)
    total = torch.zeros(50)
    for start in tile_starts(50, 20, tiling.overlap):
        total[start : start + 20] += edge_weight(start, 20, 50, tiling, 1)
    torch.testing.assert_close(total, torch.ones(50))


def network(lr: Tensor, references: Tensor) -> list[Tensor]:
    """Two 3x3 convolutions, at twice the size, of the input and the mean reference; sees 2 pixels far."""
    kernel = torch.arange(9.0).reshape(1, 1, 3, 3).sub(3).div(20).expand(3, 1, 3, 3)
    mean = F.avg_pool2d(references.mean(dim=0), 2)
    features = F.conv2d(F.conv2d((lr + mean)[None], kernel, padding=1, groups=3).relu(), kernel, padding=1, groups=3)
    return [F.interpolate(features, scale_factor=2)[0], features[0, :1]]


@pytest.mark.parametrize(("height", "width"), [(40, 50), (17, 64), (9, 100), (12, 12)])
def test_tiles_equal_the_whole(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(3, height, width, generator=generator)
    references = torch.rand(2, 3, 2 * height, 2 * width, generator=generator)
    whole = network(lr, references)
    tiled = run_in_tiles(network, lr, references, 2, Tiling(16, 2, 3))
    assert [image.shape for image in tiled] == [image.shape for image in whole]
    for one, other in zip(tiled, whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_without_a_margin_the_edges_would_show() -> None:
    lr, references = torch.ones(3, 40, 40), torch.ones(1, 3, 80, 80)
    difference = (run_in_tiles(network, lr, references, 2, Tiling(16, 0, 1))[0] - network(lr, references)[0]).abs()
    assert difference.max() > 0.1


def test_memory_is_bounded_by_the_tile() -> None:
    seen: list[tuple[int, ...]] = []

    def spy(lr: Tensor, references: Tensor) -> list[Tensor]:
        seen.append((*lr.shape[-2:], *references.shape[-2:]))
        return [lr]

    lr = torch.rand(3, 70, 90)
    out = run_in_tiles(spy, lr, torch.zeros(0, 3, 280, 360), 4, Tiling(32, 4, 4))
    assert set(seen) == {(32, 32, 128, 128)}
    assert len(seen) == len(boxes(70, 90, Tiling(32, 4, 4)))
    torch.testing.assert_close(out[0], lr)


def test_errors() -> None:
    with pytest.raises(ValueError, match="got size 20, margin 8 and ramp 4"):
        Tiling(20, 8, 4)
    with pytest.raises(ValueError, match="ramp of at least one pixel"):
        Tiling(20, 2, 0)
