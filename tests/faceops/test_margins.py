"""Margins around images that faces fill, and what they take around long ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceops.detection.close_ups import close_up
from faceops.detection.detector import Detector
from faceops.detection.margins import resized_with_margin
from faceops.detection.pyramid_search import PyramidSearch
from faceops.detection.scale_search import ScaleSearch
from faceops.detection.turns import TurnSearch
from faceops.geometry.faces import Faces
from tests.faceops.test_yunet import Blob

pad = F.pad


@pytest.fixture
def padded_values(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Values of everything that is padded."""
    values: list[int] = []

    def spy(images: Tensor, border: tuple[int, ...], value: float | None = None) -> Tensor:
        result = pad(images, border, value=value)
        values.append(result.numel())
        return result

    monkeypatch.setattr(F, "pad", spy)
    return values


@pytest.mark.parametrize("size", [(60, 100), (100, 60), (5, 90), (90, 5), (64, 64)])
@pytest.mark.parametrize("scale", [0.14, 0.5, 2.0])
def test_copies_are_those_of_the_padded_image(size: tuple[int, int], scale: float) -> None:
    images, margin = torch.rand(2, 3, *size), (50, 30, 20, 40)
    copy = (round((size[0] + 60) * scale), round((size[1] + 80) * scale))
    wanted = F.interpolate(F.pad(images, margin, value=0.5), copy, mode="bilinear", antialias=True)
    torch.testing.assert_close(resized_with_margin(images, margin, copy, 0.5), wanted, rtol=0, atol=1e-6)


def empty_handed(images: Tensor) -> Faces:
    """A detector that finds nothing."""
    return Faces.none()


@pytest.mark.parametrize("size", [(60, 3000), (3000, 60), (1, 3000)])
@pytest.mark.parametrize(
    "search",
    [ScaleSearch(empty_handed), PyramidSearch(empty_handed), TurnSearch(ScaleSearch(empty_handed), empty_handed)],
)
def test_the_search_of_a_strip_takes_memory_by_its_length(
    search: Detector, size: tuple[int, int], padded_values: list[int]
) -> None:
    assert not len(search(torch.zeros(1, 3, *size)))
    assert all(values <= 3 * 1024 * sum(size) for values in padded_values)
    assert bool(padded_values) == (min(size) > 1), "of few rows nothing is found"


def test_the_close_up_of_a_strip_takes_memory_by_its_length(padded_values: list[int]) -> None:
    image = torch.rand(3, 10, 3000)
    seen = close_up(image, -600, -2000, 4000, 128)
    assert max(padded_values) <= 3 * 4000 * 128
    assert seen.shape == (1, 3, 128, 128)
    wanted = F.interpolate(pad(image, (600, 400, 2000, 1990))[None], (128, 128), mode="bilinear", antialias=True)
    torch.testing.assert_close(seen, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(300, 400), (400, 300)])
def test_a_face_that_fills_a_picture_is_where_it_was(size: tuple[int, int]) -> None:
    faces = ScaleSearch(Blob(largest=200), refine=False)(torch.ones(1, 3, *size))
    assert len(faces) == 1
    edges = torch.tensor([-0.5, -0.5, size[1] - 0.5, size[0] - 0.5])
    torch.testing.assert_close(faces.boxes[0], edges, rtol=0, atol=3.2)
