"""Pictures of a program, with pixels that are no numbers."""

from dataclasses import replace

import pytest
import torch

from faceops.images.files import Picture
from hime.network import HIME
from hime.upscaling.picture_upscaling import upscale


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_pixel_that_is_no_number_is_refused(value) -> None:
    network = HIME(2, channels=8, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1, offset_channels=8)
    good = Picture(torch.full((3, 8, 8), 0.5))
    bad = Picture(good.pixels.clone())
    bad.pixels[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"The picture has values that are not finite \(1 of 192\)"):
        upscale(network, bad)
    with pytest.raises(ValueError, match=r"The picture has values that are not finite \(1 of 64\)"):
        upscale(network, replace(good, alpha=bad.pixels[1:2]))
    with pytest.raises(ValueError, match="Exemplar 2 has values that are not finite"):
        upscale(network, good, [good, bad])
