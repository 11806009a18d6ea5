"""Panels of a validation."""

import torch

from hime.heat_maps import heat_map
from hime.network import SuperResolution
from hime.training.panels import panel
from portraitdata.exemplars.datamodule import ExemplarBatch


def test_panel_has_a_row_a_set_and_a_map_a_reference() -> None:
    hr, references = torch.rand(3, 3, 16, 16), torch.rand(3, 2, 3, 16, 16)
    batch = ExemplarBatch(torch.rand(3, 3, 4, 4), references, torch.ones(3, 2, dtype=torch.bool), hr, ["a", "b", "c"])
    weight = torch.rand(3, 2, 4, 4)
    image = panel(batch, SuperResolution(hr, None, weight, None), sets=2)
    assert image.shape == (3, 2 * 16, 7 * 16)  # LR, SR, HR, then twice reference and map
    torch.testing.assert_close(image[:, :16, 16:32], image[:, :16, 32:48])
    torch.testing.assert_close(image[:, 16:, 48:64], references[1, 0])


def test_panel_without_references() -> None:
    hr = torch.rand(1, 3, 16, 16)
    present = torch.zeros(1, 0, dtype=torch.bool)
    batch = ExemplarBatch(torch.rand(1, 3, 4, 4), torch.zeros(1, 0, 3, 16, 16), present, hr, ["a"])
    assert panel(batch, SuperResolution(hr, None, None, None), sets=4).shape == (3, 16, 48)


def test_panel_shows_similarities_too_small_to_be_seen() -> None:
    hr, references = torch.rand(2, 3, 16, 16), torch.rand(2, 2, 3, 16, 16)
    batch = ExemplarBatch(torch.rand(2, 3, 4, 4), references, torch.ones(2, 2, dtype=torch.bool), hr, ["a", "b"])
    mu = torch.tensor([1e-20, 1e-23]).reshape(1, 2, 1, 1).expand(2, 2, 4, 4)
    image = panel(batch, SuperResolution(hr, mu, mu / mu.sum(dim=1, keepdim=True), None), sets=2)
    for left, place in ((64, 1.0), (96, 0.5)):  # the best, and a thousandth of it
        wanted = heat_map(torch.full((32, 16), place))
        torch.testing.assert_close(image[:, :, left : left + 16], wanted, rtol=0, atol=1e-4)
