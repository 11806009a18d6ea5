"""Panels of a validation."""

import torch
from torch import Tensor

from hime.heat_maps import heat_map
from hime.network import SuperResolution
from hime.training.panels import panel, set_row
from portraitdata.exemplars.datamodule import ExemplarBatch

SIZE, WIDTH, GAP = 16, 96, 8
"""Side of the images, of the columns, and the space between them."""


def cell(sheet: Tensor, row: int, column: int) -> Tensor:
    """Image at a place of a sheet whose captions have one line."""
    top, left = GAP + row * (SIZE + GAP // 2 + 21 + GAP), GAP + column * (WIDTH + GAP) + (WIDTH - SIZE) // 2
    return sheet[:, top : top + SIZE, left : left + SIZE]


def test_panel_has_a_row_a_set_and_a_map_a_reference() -> None:
    hr, references = torch.rand(3, 3, 16, 16), torch.rand(3, 2, 3, 16, 16)
    batch = ExemplarBatch(torch.rand(3, 3, 4, 4), references, torch.ones(3, 2, dtype=torch.bool), hr, ["a", "b", "c"])
    result = SuperResolution(hr, None, torch.rand(3, 2, 4, 4), None)
    image = panel(batch, result, sets=2)
    assert image.shape[2] == 7 * (WIDTH + GAP) + GAP
    half = {"rtol": 0, "atol": 0.51 / 255}
    torch.testing.assert_close(cell(image, 0, 1), hr[0], **half)
    torch.testing.assert_close(cell(image, 0, 2), hr[0], **half)
    torch.testing.assert_close(cell(image, 1, 3), references[1, 0], **half)
    names = [one.caption for one in set_row(batch, result, 0)]
    assert names == ["input", "output", "truth", "exemplar 1", "similarity 1", "exemplar 2", "similarity 2"]


def test_panel_without_references() -> None:
    hr = torch.rand(1, 3, 16, 16)
    present = torch.zeros(1, 0, dtype=torch.bool)
    batch = ExemplarBatch(torch.rand(1, 3, 4, 4), torch.zeros(1, 0, 3, 16, 16), present, hr, ["a"])
    row = set_row(batch, SuperResolution(hr, None, None, None), 0)
    assert [one.caption for one in row] == ["input", "output", "truth"]


def test_panel_shows_similarities_too_small_to_be_seen() -> None:
    hr, references = torch.rand(2, 3, 16, 16), torch.rand(2, 2, 3, 16, 16)
    batch = ExemplarBatch(torch.rand(2, 3, 4, 4), references, torch.ones(2, 2, dtype=torch.bool), hr, ["a", "b"])
    mu = torch.tensor([1e-20, 1e-23]).reshape(1, 2, 1, 1).expand(2, 2, 4, 4)
    image = panel(batch, SuperResolution(hr, mu, mu / mu.sum(dim=1, keepdim=True), None), sets=2)
    for column, place in ((4, 1.0), (6, 0.5)):  # the best, and a thousandth of it
        wanted = heat_map(torch.full((SIZE, SIZE), place))
        for row in range(2):
            torch.testing.assert_close(cell(image, row, column), wanted, rtol=0, atol=0.6 / 255)
