"""The result depends neither on how much of a picture is denoised at a time nor on a memory that a tile fits into."""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture, load_picture
from headsup.restoring import photo_restorer
from headsup.restoring.options import GRID, RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces
from headsup.tiling.memory import FIXED, GB, decode_bytes, denoise_bytes, weight_bytes
from portraitdata.images.resampling import bicubic

HEIGHT, WIDTH = 64, 1152
"""Of the results: two tiles of the grid side by side, and no more pixels than needed."""

restorer_of = cache(PhotoRestorer.load)


def strip(kind: str, assets: Path) -> Picture:
    """A quarter of the size of the result: grey, or a strip across the eyes of a portrait."""
    if kind == "flat":
        return Picture(torch.full((3, HEIGHT // 4, WIDTH // 4), 0.5))
    pixels = load_picture(assets / "images" / "portraits" / "18f_cc0" / "kate.jpg").pixels
    rows, width = pixels.shape[1] // 3, pixels.shape[2]
    return Picture(bicubic(pixels[None, :, rows : rows + width * HEIGHT // WIDTH], HEIGHT // 4, WIDTH // 4)[0])


def face() -> ReferenceFaces:
    """A face as high as the strip, in the part that both tiles share."""
    side = HEIGHT // 4
    corner = torch.tensor([WIDTH // 8.0, 0.0])
    box = torch.tensor([[corner[0] + side / 4, side / 5, corner[0] + 3 * side / 4, side * 0.9]])
    points = FFHQ_512.scaled(side).tensor().float()[None] + corner
    return ReferenceFaces(box, points, torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)))


def levels(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Mean and largest difference, in grey levels of eight bits."""
    difference = 255 * (a - b).abs()
    return difference.mean().item(), difference.max().item()


@pytest.mark.assets
@pytest.mark.parametrize("name", ["guided", "tiny"])
@pytest.mark.parametrize("kind", ["flat", "portrait"])
@pytest.mark.parametrize("referenced", [False, True])
def test_tiles_agree(name: str, kind: str, referenced: bool, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer, picture, faces = restorer_of(name), strip(kind, assets), face() if referenced else None

    def restored(tile: int) -> Tensor:
        return restorer(picture, RestoreOptions(scale=4.0, tile=tile), faces).picture.pixels

    usual = restored(GRID)
    assert torch.equal(restored(64), usual)
    _, largest = levels(restored(4 * GRID), usual)
    assert largest < 0.05, "both tiles in one call: rounding"
    monkeypatch.setattr(photo_restorer, "GRID", 512)
    assert levels(restored(GRID), usual)[1] > 0.15, "tiles of another size are another result"


@pytest.mark.assets
@pytest.mark.parametrize("kind", ["flat", "portrait"])
def test_little_memory_is_the_same_result_where_a_tile_fits(kind: str, assets: Path) -> None:
    restorer, picture = restorer_of("tiny"), strip(kind, assets)
    memory = FIXED + 20e6
    assert denoise_bytes(restorer.restorer.unet, 1, HEIGHT // 8, GRID // 8) < memory
    assert decode_bytes(restorer.restorer.vae, 1, HEIGHT, WIDTH) > memory
    little = RestoreOptions(scale=4.0, memory=(memory + weight_bytes(restorer.restorer)) / GB)
    usual = restorer(picture, RestoreOptions(scale=4.0)).picture.pixels
    _, largest = levels(restorer(picture, little).picture.pixels, usual)
    assert 0 < largest < 0.1, "the autoencoder runs in pieces, which is rounding"


@pytest.mark.parametrize("sides", [(64, 64), (16, 256)])
def test_what_a_tile_holds_is_denoised_whole(sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, whatever is asked for."""
    restorer, seen = restorer_of("guided"), []
    step = restorer.restorer.denoise

    def noted(z_l: Tensor, *arguments: Tensor, prompt: Tensor) -> Tensor:
        seen.append(step(z_l, *arguments, prompt=prompt))
        return seen[-1]

    monkeypatch.setattr(restorer.restorer, "denoise", noted)
    picture = Picture(torch.rand(3, *sides, generator=torch.Generator().manual_seed(0)))
    for tile in (32, 128, GRID, 2 * GRID):
        restorer(picture, RestoreOptions(scale=4.0, tile=tile))
    assert [tuple(z.shape[2:]) for z in seen] == 4 * [(sides[0] // 2, sides[1] // 2)]
    assert all(torch.equal(z, seen[0]) for z in seen)


@pytest.mark.parametrize("name", ["guided", "tiny"])
def test_a_tile_of_the_shipped_restorers_fits_into_the_memory_that_the_page_names(name: str) -> None:
    restorer = restorer_of(name).restorer
    assert weight_bytes(restorer) + denoise_bytes(restorer.unet, 1, GRID // 8, GRID // 8) < 0.3 * GB
