"""Colours under opacity zero do not leak into what is seen."""

import pytest
import torch

from faceops.images.files import Picture
from faceops.images.opacity import filled, without_hidden_colours
from portraitdata.images.resampling import bicubic


def cut_out(hidden: float, height: int = 37, width: int = 50) -> Picture:
    """A tilted plane of colours in a disc, and `hidden` around it."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (rows - 18) ** 2 + (columns - 20) ** 2 < 12**2
    plane = torch.stack([0.3 + rows / 100, 0.6 - columns / 200, torch.full((height, width), 0.5)])
    return Picture(torch.where(inside, plane, hidden), alpha=inside[None].float())


@pytest.mark.parametrize("hidden", [0.0, 1.0, 9.0])
def test_an_enlarged_cut_out_has_no_rim(hidden: float) -> None:
    picture = without_hidden_colours(cut_out(hidden))
    assert picture.alpha is not None
    large, alpha = (bicubic(x, 4 * 37, 4 * 50) for x in (picture.pixels, picture.alpha))
    seen = alpha[0] > 0.02
    rows, columns = torch.meshgrid(torch.arange(4 * 37), torch.arange(4 * 50), indexing="ij")
    plane = torch.stack(
        [0.3 + (rows / 4 - 0.375) / 100, 0.6 - (columns / 4 - 0.375) / 200, torch.full(seen.shape, 0.5)]
    )
    assert (large - plane).abs()[:, seen].max() < 3 / 255
    rim = bicubic(cut_out(hidden).pixels, 4 * 37, 4 * 50)
    assert (rim - plane).abs()[:, seen].max() > 40 / 255


def test_what_is_seen_stays_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels, alpha = torch.rand(3, 33, 20, generator=generator), torch.rand(1, 33, 20, generator=generator)
    alpha = torch.where(alpha < 0.7, 0, alpha)
    found = filled(pixels, alpha)
    assert found[:, alpha[0] > 0].equal(pixels[:, alpha[0] > 0])
    assert found.equal(filled(torch.where(alpha > 0, pixels, 0.123), alpha))
    assert found.min() >= 0
    assert found.max() <= 1


def test_the_more_opaque_neighbour_counts_more() -> None:
    pixels = torch.tensor([[0.0, 1.0], [0.5, 0.5]]).expand(3, 2, 2)
    alpha = torch.tensor([[[0.25, 0.75], [0.0, 0.0]]])
    assert filled(pixels, alpha)[0, 1].tolist() == [0.75, 0.75]


def test_nothing_to_hide_and_nothing_to_show() -> None:
    for picture in (Picture(torch.rand(3, 4, 4)), Picture(torch.rand(3, 4, 4), alpha=torch.full((1, 4, 4), 0.1))):
        assert without_hidden_colours(picture) is picture
    empty = Picture(torch.rand(3, 4, 4), alpha=torch.zeros(1, 4, 4))
    assert without_hidden_colours(empty) is empty
