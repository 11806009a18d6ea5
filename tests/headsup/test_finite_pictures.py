"""Pictures of a program, with pixels that are no numbers."""

from dataclasses import replace

import pytest
import torch

from faceops.images.files import Picture
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_pixel_that_is_no_number_is_refused(value) -> None:
    restorer = PhotoRestorer.load("tiny")
    bad = Picture(torch.full((3, 8, 8), 0.5))
    bad.pixels[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"The picture has values that are not finite \(1 of 192\)"):
        restorer(bad, RestoreOptions(scale=1.0))
    with pytest.raises(ValueError, match=r"The picture has values that are not finite \(1 of 64\)"):
        restorer(replace(bad, pixels=bad.pixels.nan_to_num(0.5, 0.5), alpha=bad.pixels[1:2]), RestoreOptions(scale=1.0))
    faces = ReferenceFaces(torch.tensor([[0.0, 0, 8, 8]]), torch.rand(1, 5, 2), bad.pixels[None])
    with pytest.raises(ValueError, match="A reference has values that are not finite"):
        restorer(Picture(torch.full((3, 8, 8), 0.5)), RestoreOptions(scale=1.0), faces)
