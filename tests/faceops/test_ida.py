import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.metrics.ida import angles, daefr_grey


def photographs(count, seed=0, side=512):
    """Smooth pictures of eight bits, as cv2.imread gives them: (h, w, BGR)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    return [cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse]


def as_house_image(image):
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1).float() / 255


def grey_by_numpy(image):
    """The published rule, written down: weights of R, G, B on B, G, R; two samples around each centre, no low-pass."""
    b, g, r = (image[..., i].astype(np.float64) / 255 for i in range(3))
    grey = 0.2989 * b + 0.5870 * g + 0.1140 * r
    place = (np.arange(128) + 0.5) * len(grey) / 128 - 0.5
    low = np.floor(place).astype(int)
    weight = place - low
    rows = grey[low] * (1 - weight)[:, None] + grey[low + 1] * weight[:, None]
    return rows[:, low] * (1 - weight) + rows[:, low + 1] * weight


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
def test_angle_is_the_arccosine_of_the_cosine(seed, scale):
    x, y = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = F.cosine_similarity(x, y).arccos().float()
    torch.testing.assert_close(angles(scale * x, y), expected, atol=1e-6, rtol=1e-5)


def test_equal_and_opposite_vectors_give_the_ends_of_the_range():
    x = torch.randn(100, 512, generator=torch.Generator().manual_seed(0))
    assert angles(x, x).eq(0).all()
    torch.testing.assert_close(angles(x, -x), torch.full((100,), math.pi))


def test_small_angles_keep_their_digits():
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1e-5]])
    assert angles(x, y).item() == pytest.approx(1e-5, rel=1e-4)  # its cosine is 1 in float32


def test_convention_daefr_weighs_blue_as_if_it_were_red():
    for image in photographs(2):
        ours = daefr_grey(as_house_image(image).unsqueeze(0))[0, 0]
        np.testing.assert_allclose(ours.numpy(), grey_by_numpy(image), atol=1e-6)
    red = torch.zeros(1, 3, 128, 128)
    red[:, 0] = 1
    assert daefr_grey(red)[0, 0, 0, 0].item() == pytest.approx(0.1140)
    assert daefr_grey(red.flip(1))[0, 0, 0, 0].item() == pytest.approx(0.2989)


def test_convention_daefr_reduces_without_a_low_pass():
    stripes = torch.zeros(1, 3, 512, 512)
    stripes[..., 1::4] = 1  # one of the two columns that bilinear reads out of every four
    assert daefr_grey(stripes).mean().item() == pytest.approx(0.5 * 0.9999)  # an area mean would have half of it
