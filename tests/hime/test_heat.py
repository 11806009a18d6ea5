"""Heat maps and the scale of similarities."""

import torch

from hime.heat_maps import STOPS, heat_map, relative_similarity


def test_colours_at_and_between_the_stops() -> None:
    drawn = heat_map(torch.tensor([[0.0, 0.125, 0.5, 1.0, 7.0, -3.0]]))[:, 0].T
    stops = torch.tensor(STOPS)
    torch.testing.assert_close(drawn, stops[[0, 0, 2, 4, 4, 0]] * 0.5 + stops[[0, 1, 2, 4, 4, 0]] * 0.5)


def test_similarities_are_beside_the_best_of_each_pixel() -> None:
    mu = torch.tensor([[1e-30, 1e-33], [1e-33, 1e-31]]).reshape(2, 1, 2)
    weight = mu / mu.sum(dim=0)
    drawn = relative_similarity(weight)
    torch.testing.assert_close(drawn[:, 0, 0], torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(drawn[:, 0, 1], torch.tensor([2 / 3, 1.0]))


def test_absent_references_are_dark() -> None:
    assert not relative_similarity(torch.zeros(3, 2, 2)).any()
    assert relative_similarity(torch.tensor([1.0, 0.0]).reshape(2, 1, 1)).flatten().tolist() == [1.0, 0.0]
