"""Simulated further photographs: geometry of pixels and landmarks."""

import pytest
import torch

from portraitdata.images.simulated_views import Square, View, simulate

HEAD = Square(top=52, left=161, side=128)


def view(
    angle: float = 0.0, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0), mirrored: bool = False
) -> View:
    return View("", angle, zoom, shift, mirrored, 1.0, (1.0, 1.0, 1.0), 0.01)


def test_view_without_difference_is_the_part() -> None:
    photograph = torch.rand(3, 512, 512)
    torch.testing.assert_close(simulate(photograph, view(), HEAD), HEAD.cut(photograph), atol=2e-3, rtol=0)


def spot(change: View) -> list[int]:
    """Where a spot right of the middle goes, from the middle."""
    photograph = torch.zeros(3, 512, 512)
    middle_x, middle_y = HEAD.left + 64, HEAD.top + 64
    photograph[:, middle_y - 2 : middle_y + 2, middle_x + 28 : middle_x + 32] = 1
    weight = simulate(photograph, change, HEAD)[0]
    axis = torch.arange(128) + 0.5 - 64
    return [round(((weight.sum(dim) * axis).sum() / weight.sum()).item()) for dim in (0, 1)]


def test_convention_of_views() -> None:
    assert spot(view()) == [30, 0]
    assert spot(view(angle=90.0)) == [0, -30]  # counter-clockwise: right goes up
    assert spot(view(zoom=1.5)) == [45, 0]
    assert spot(view(shift=(5.0, 7.0))) == [35, 7]
    assert spot(view(mirrored=True)) == [-30, 0]
    assert spot(view(shift=(5.0, 7.0), mirrored=True)) == [-25, 7]  # mirrored first


@pytest.mark.parametrize("change", [view(20.0, 1.2, (4.0, -3.0)), view(-30.0, 0.9, (-5.0, 6.0), mirrored=True)])
def test_landmarks_go_where_pixels_go(change: View) -> None:
    landmarks = torch.tensor([[200.0, 90.0], [250.0, 95.0], [225.0, 116.0], [205.0, 140.0], [245.0, 144.0]])
    moved = change.moved(landmarks, HEAD)
    order = [1, 0, 2, 4, 3] if change.mirrored else [0, 1, 2, 3, 4]
    for place, name in enumerate(order):
        x, y = landmarks[name].long().tolist()
        photograph = torch.zeros(3, 512, 512)
        photograph[:, y, x] = 1.0
        weight = simulate(photograph, change, HEAD)[0].clamp(min=0)
        axis = torch.arange(128.0)
        found = [((weight.sum(dim) * axis).sum() / weight.sum()).item() for dim in (0, 1)]
        assert moved[place].tolist() == pytest.approx(found, abs=0.3)


def test_light_and_blur() -> None:
    photograph = torch.full((3, 512, 512), 0.25)
    change = View("", 0.0, 1.0, (0.0, 0.0), False, 0.5, (1.0, 0.8, 3.0), 1.0)
    middle = simulate(photograph, change, HEAD)[:, 64, 64]
    torch.testing.assert_close(middle, torch.tensor([0.5, 0.4, 1.0]), atol=1e-4, rtol=0)
