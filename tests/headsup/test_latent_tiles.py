"""Tiles of a latent cover it, and their blend is exact where the denoiser does not depend on the tile."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.measures.tile_seams import borders_of, seam_ratio, tile_borders
from faceops.images.files import load_picture
from headsup.tiling.latent_tiles import LatentTiles, denoise_tiled, starts, window

SETTINGS = settings(derandomize=True, deadline=None, max_examples=40)


@SETTINGS
@given(st.integers(1, 300), st.integers(2, 60), st.integers(0, 59))
def test_starts_cover_and_overlap(length: int, tile: int, overlap: int) -> None:
    overlap = min(overlap, tile - 1)
    found = starts(length, tile, overlap)
    assert found[0] == 0
    assert found[-1] == max(0, length - tile)
    assert all(a < b <= a + tile - overlap for a, b in pairwise(found))


@SETTINGS
@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 40), st.integers(0, 20), st.integers(1, 5))
def test_a_pointwise_function_is_exact(height: int, width: int, tile: int, overlap: int, batch: int) -> None:
    z = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    mask = (z[:, :1] > 0).float()

    def denoise(part: Tensor, m: Tensor) -> Tensor:
        return part.sin() * (1 + m)

    tiled = denoise_tiled(denoise, z, [mask], tile, min(overlap, tile // 2), batch)
    torch.testing.assert_close(tiled, denoise(z, mask), atol=1e-6, rtol=0)


def test_weights_of_a_regular_grid_sum_to_one() -> None:
    total = torch.zeros(50)
    for start in starts(50, 20, 5):
        total[start : start + 20] += window(20, 5, start > 0, start + 20 < 50)
    torch.testing.assert_close(total, torch.ones(50))


def test_window_by_hand() -> None:
    # sin^2 of 22.5 and 67.5 degrees
    expected = torch.tensor([0.1464466, 0.8535534, 1, 1])
    torch.testing.assert_close(window(4, 2, before=True, after=False), expected)
    torch.testing.assert_close(window(4, 2, before=False, after=True), expected.flip(0))


def test_one_tile_is_one_call_of_the_latent_itself() -> None:
    z, calls = torch.rand(1, 4, 30, 40), []
    result = denoise_tiled(lambda part: calls.append(part) or part * 2, z, tile=40, overlap=8)
    assert len(calls) == 1
    assert calls[0] is z
    assert torch.equal(result, z * 2)


def test_calls_hold_several_tiles_of_all_latents() -> None:
    z, sizes = torch.rand(2, 4, 40, 40), []
    plan = LatentTiles(40, 40, 16, 4)
    assert len(plan.corners) == 9

    def denoise(tiles: Tensor) -> Tensor:
        sizes.append(tuple(tiles.shape))
        first = plan.corners[4 * (len(sizes) - 1)]
        assert torch.equal(tiles[:2], plan.cut(z, first)), "first tile of both latents first"
        return tiles

    torch.testing.assert_close(denoise_tiled(denoise, z, tile=16, overlap=4, batch=4), z, atol=1e-6, rtol=0)
    assert sizes == [(8, 4, 16, 16), (8, 4, 16, 16), (2, 4, 16, 16)]


def test_half_precision_is_blended_in_float32() -> None:
    z = torch.ones(1, 1, 33, 33, dtype=torch.bfloat16)
    result = denoise_tiled(lambda part: part, z, tile=8, overlap=6)
    assert result.dtype == torch.bfloat16
    assert torch.equal(result, z)


def smooth_denoiser(z: Tensor) -> Tensor:
    """A nonlinear filter that also depends on the tile's own mean, as a group norm does, a little."""
    blurred = F.avg_pool2d(F.pad(z, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return blurred + 0.5 * torch.tanh(2 * (z - blurred)) + 0.05 * z.mean((2, 3), keepdim=True)


@pytest.mark.assets
def test_no_seam_on_a_photograph(assets: Path) -> None:
    pixels = load_picture(assets / "images" / "portraits" / "18f_cc0" / "ericronne.jpg").pixels
    z = F.interpolate(pixels[None], size=(220, 180), mode="area")
    plan = LatentTiles(220, 180, 64, 24)
    whole = smooth_denoiser(z)
    rows, columns = borders_of(plan)
    blended = denoise_tiled(smooth_denoiser, z, tile=64, overlap=24, batch=3)
    assert abs(seam_ratio(blended, rows, columns, whole) - 1) < 0.02

    side_by_side = torch.empty_like(z)
    for top, left in ((t, c) for t in range(0, 220, 64) for c in range(0, 180, 64)):
        part = (..., slice(top, top + 64), slice(left, left + 64))
        side_by_side[part] = smooth_denoiser(z[part])
    cuts = tile_borders(220, 64, range(0, 220, 64)), tile_borders(180, 64, range(0, 180, 64))
    assert seam_ratio(side_by_side, *cuts, whole) > 1.1, "the measure sees the seams of tiles that are not blended"


def test_seam_measure_of_stripes() -> None:
    assert tile_borders(50, 20, [0, 15, 30], scale=8) == [120, 160, 240, 280]
    stripes = torch.arange(12.0).expand(1, 1, 12, 12)
    assert seam_ratio(stripes, [], [4, 8]) == 1
    assert seam_ratio(stripes + 10 * (stripes >= 4), [], [4, 8]) == 6


def test_seam_measure_of_noise() -> None:
    noise = torch.rand(1, 3, 400, 400, generator=torch.Generator().manual_seed(0))
    rows = list(range(20, 400, 20))
    assert abs(seam_ratio(noise, rows, rows) - 1) < 0.02
    stepped = noise + 0.2 * (torch.arange(400) // 20 % 2)
    assert seam_ratio(stepped, [], rows) > 1.1
    assert seam_ratio(stepped, [], rows, reference=stepped) == 1


def test_errors() -> None:
    with pytest.raises(ValueError, match="tiles of 8 latent pixels that overlap by 8"):
        LatentTiles(20, 20, 8, 8)
    with pytest.raises(ValueError, match="as large as the latent"):
        denoise_tiled(lambda z, m: z, torch.rand(1, 4, 8, 8), [torch.rand(1, 1, 64, 64)])
    with pytest.raises(ValueError, match="inside the picture"):
        seam_ratio(torch.rand(1, 3, 8, 8), [8], [])
    with pytest.raises(ValueError, match="flat"):
        seam_ratio(torch.ones(1, 3, 8, 8), [4], [])
