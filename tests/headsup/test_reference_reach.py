"""What a reference brings stays with its face."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture
from headsup.restoring import photo_restorer
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces
from headsup.restoring.references.reference_reach import at_latent_size, denoise_within, face_reach, lay_out_reach

HALF = 0.5  # of a smooth step from zero to one


def test_the_face_is_reached_and_the_edges_are_not() -> None:
    reach = face_reach(512)[0, 0]
    eyes_nose_mouth = FFHQ_512.tensor().round().long()
    assert (reach[eyes_nose_mouth[:, 1], eyes_nose_mouth[:, 0]] == 1).all()
    assert not torch.cat((reach[0], reach[-1], reach[:, 0], reach[:, -1])).any()
    torch.testing.assert_close(reach, reach.flip(1))  # a mirrored face is reached as well
    # 1.15 radii from the middle, half of the fade of 0.3 is over
    assert reach[round(512 * (0.5 + 1.15 * 0.38)), 256].item() == pytest.approx(HALF, abs=0.05)
    assert reach[256, round(512 * (0.5 - 1.15 * 0.32))].item() == pytest.approx(HALF, abs=0.05)


@settings(deadline=None, derandomize=True)
@given(
    side=st.integers(40, 120),
    left=st.floats(-10, 60),
    top=st.floats(-10, 60),
    turn=st.floats(-0.5, 0.5),
)
def test_it_goes_with_the_face(side: int, left: float, top: float, turn: float) -> None:
    """Where the five points of a face are, moved, turned and resized, there is the whole reach."""
    points = FFHQ_512.scaled(side).tensor()
    cosine, sine = torch.tensor(turn).cos().double(), torch.tensor(turn).sin().double()
    points = points @ torch.stack((torch.stack((cosine, sine)), torch.stack((-sine, cosine))))
    points = points + torch.tensor([left, top], dtype=torch.float64)
    matrix = alignment_matrix(points[None].float(), 256)
    reach = lay_out_reach(matrix, 256, torch.tensor([1]), (2, 160, 160))
    assert not reach[0].any()
    there = points.round().long()
    there = there[((there >= 0) & (there < 160)).all(dim=1)]
    assert (reach[1, 0, there[:, 1], there[:, 0]] > 0.98).all()
    assert reach.min() >= 0
    assert reach.max() <= 1 + 1e-5


def test_the_further_reach_counts_where_two_overlap() -> None:
    one, other = (FFHQ_512.scaled(64).tensor().float() + torch.tensor([x, 0.0]) for x in (0.0, 30.0))
    matrix = alignment_matrix(torch.stack((one, other)), 128)
    size = (1, 64, 96)
    alone = [lay_out_reach(matrix[[n]], 128, torch.tensor([0]), size) for n in (0, 1)]
    torch.testing.assert_close(lay_out_reach(matrix, 128, torch.tensor([0, 0]), size), torch.maximum(*alone))
    assert not lay_out_reach(matrix[:0], 128, torch.tensor([], dtype=torch.long), size).any()


class Counting:
    """Gives 10 without a reference and 20 with one, and counts."""

    def __init__(self) -> None:
        self.masks: list[bool] = []

    def __call__(self, z_l: torch.Tensor, z_r: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.masks.append(bool(mask.any()))
        assert bool(z_r.any()) == bool(mask.any())
        return torch.full_like(z_l, 20.0 if mask.any() else 10.0)


def test_latents_are_mixed_by_the_reach() -> None:
    step = Counting()
    ones = torch.ones(1, 4, 2, 3)
    reach = torch.tensor([[[[0.0, 0.5, 1.0], [0.25, 0.0, 0.0]]]])

    def mixed(reach: torch.Tensor) -> list[float]:
        return denoise_within(step, ones, ones, ones[:, :1], reach)[0, 2].flatten().tolist()

    assert mixed(reach) == [10, 15, 20, 12.5, 10, 10]
    assert step.masks == [False, True]
    # where no face or nothing else is, a single step is computed
    assert mixed(torch.zeros_like(reach)) == [10] * 6
    assert mixed(torch.ones_like(reach)) == [20] * 6
    assert step.masks[2:] == [False, True]


def test_at_the_size_of_the_latent() -> None:
    reach = torch.arange(16.0).reshape(1, 1, 4, 4) / 16
    assert at_latent_size(reach, 2).mul(16).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


@pytest.fixture(scope="module")
def tiny() -> PhotoRestorer:
    return PhotoRestorer.load("tiny")


def face_in(side: int) -> ReferenceFaces:
    """A face of half the picture's sides, in its upper left."""
    points = FFHQ_512.scaled(side // 2).tensor().float()[None]
    box = torch.tensor([[0.25, 0.2, 0.75, 0.9]]) * (side / 2)
    return ReferenceFaces(box, points, torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)))


def latents(restorer: PhotoRestorer, picture: Picture, options: RestoreOptions, faces: ReferenceFaces | None) -> Any:
    """z_H, as the decoder gets it."""
    found = []
    unwrapped = restorer._denoise

    def noted(*arguments: Any) -> torch.Tensor:
        found.append(unwrapped(*arguments))
        return found[-1]

    restorer._denoise = noted  # type: ignore[method-assign]
    try:
        restorer(picture, options, faces)
    finally:
        del restorer._denoise
    return found[0]


@pytest.mark.parametrize("tile", [1024, 128])
def test_nothing_changes_away_from_the_face(tiny: PhotoRestorer, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly, before the decoder; with the paper's single pass it does."""
    monkeypatch.setattr(photo_restorer, "GRID", tile)
    picture = Picture(torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(0)))
    options = RestoreOptions(overlap=32)
    without = latents(tiny, picture, options, None)
    confined = latents(tiny, picture, options, face_in(48))
    single = latents(tiny, picture, RestoreOptions(overlap=32, confine_references=False), face_in(48))
    side = without.shape[-1]
    away = torch.ones(side, side, dtype=torch.bool)
    away[: side // 2, : side // 2] = False
    assert torch.equal(confined[..., away], without[..., away])
    middle = slice(side // 4 - 2, side // 4 + 2)
    assert (confined - without)[..., middle, middle].abs().max() > 0.01
    torch.testing.assert_close(confined[..., middle, middle], single[..., middle, middle], rtol=1e-4, atol=1e-4)
    if tile == 1024:
        assert (single - without)[..., away].abs().max() > 0.001


def test_without_the_confinement_it_is_the_networks_single_step(tiny: PhotoRestorer) -> None:
    picture, faces = Picture(torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(0))), face_in(48)
    options = RestoreOptions(confine_references=False)
    z_h = latents(tiny, picture, options, faces)
    again = []
    forward = tiny.restorer.denoise

    def noted(*arguments: Any, **named: Any) -> torch.Tensor:
        again.append((arguments, named))
        return forward(*arguments, **named)

    tiny.restorer.denoise = noted  # type: ignore[method-assign]
    try:
        latents(tiny, picture, options, faces)
    finally:
        del tiny.restorer.denoise
    assert len(again) == 1
    with torch.no_grad():
        torch.testing.assert_close(forward(*again[0][0], **again[0][1]), z_h)
