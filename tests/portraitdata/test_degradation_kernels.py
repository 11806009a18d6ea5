import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.ndimage import rotate

from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.kernels import NEGLIGIBLE, kernel_of, trimmed
from portraitdata.degradation.presets import preset_of
from portraitdata.degradation.records import KernelRecord


def reference(record: KernelRecord) -> np.ndarray:
    """The paper's formulas pixel by pixel, with an explicit covariance matrix and SciPy's Bessel function."""
    cos, sin = math.cos(record.rotation), math.sin(record.rotation)
    turn = np.array([[cos, -sin], [sin, cos]])
    half = record.size // 2
    out = np.zeros((record.size, record.size))
    for row in range(record.size):
        for column in range(record.size):
            x = np.array([column - half, row - half], dtype=float)
            if record.kind == "sinc":
                r, w = math.hypot(*x), record.cutoff
                out[row, column] = w**2 / (4 * math.pi) if r == 0 else w * special.j1(w * r) / (2 * math.pi * r)
                continue
            covariance = turn @ np.diag([record.sigma_x**2, record.sigma_y**2]) @ turn.T
            q = x @ np.linalg.inv(covariance) @ x
            if record.kind.startswith("plateau"):
                out[row, column] = 1 / (1 + q**record.beta)
            else:
                beta = record.beta if record.kind.startswith("generalised") else 1.0
                out[row, column] = math.exp(-0.5 * q**beta)
    return out / out.sum()


@pytest.mark.parametrize(
    "record",
    [
        KernelRecord("iso", 7, 1.3, 1.3),
        KernelRecord("aniso", 11, 3.0, 0.7, 0.4),
        KernelRecord("aniso", 41, 15.0, 1.0, -2.5),
        KernelRecord("generalised_iso", 9, 2.0, 2.0, beta=0.5),
        KernelRecord("generalised_aniso", 13, 2.0, 1.0, 1.1, 3.7),
        KernelRecord("plateau_iso", 15, 1.5, 1.5, beta=1.0),
        KernelRecord("plateau_aniso", 21, 0.9, 2.9, -0.7, 2.0),
        KernelRecord("sinc", 7, cutoff=math.pi / 3),
        KernelRecord("sinc", 21, cutoff=2.9),
    ],
    ids=lambda record: f"{record.kind} {record.size}",
)
def test_equals_the_formula(record):
    # torch's Bessel function is good for seven digits.
    np.testing.assert_allclose(kernel_of(record), reference(record), rtol=1e-6, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(("realesrgan", "stablesr")))
def test_drawn_kernels_have_sum_one_and_are_the_same_when_turned_by_half_a_circle(seed, name):
    record = draw_record(preset_of(name), 64, 64, 4, (seed,))
    for part in (record.first.blur, record.second.blur, record.final_sinc):
        kernel = kernel_of(part)
        assert kernel.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-14)
        short = trimmed(kernel)
        assert short.sum() == pytest.approx(1, abs=1e-12)
        margin = (kernel.shape[0] - short.shape[0]) // 2
        assert np.abs(np.pad(short, margin) - kernel).sum() <= 2.1 * NEGLIGIBLE


def test_convention_a_positive_rotation_turns_right_to_down():
    kernel = kernel_of(KernelRecord("aniso", 11, 3.0, 0.6, math.pi / 6))
    # 30 degrees: the ridge goes right and down; mirrored it would weigh 30 times less there.
    assert kernel[5 + 2, 5 + 3] > 30 * kernel[5 - 2, 5 + 3]
    # SciPy turns anticlockwise as seen, that is from down to right.
    flat = kernel_of(KernelRecord("aniso", 41, 6.0, 3.0))
    turned = kernel_of(KernelRecord("aniso", 41, 6.0, 3.0, math.pi / 6))
    np.testing.assert_allclose(rotate(flat, -30, reshape=False), turned, atol=4e-5)


def test_trimming_keeps_what_weighs():
    narrow = kernel_of(KernelRecord("iso", 21, 0.2, 0.2))
    assert trimmed(narrow).shape == (3, 3)
    wide = kernel_of(KernelRecord("sinc", 21, cutoff=1.0))
    assert trimmed(wide) is wide


@pytest.mark.parametrize("size", [0, 8])
def test_even_kernels_are_refused(size):
    with pytest.raises(ValueError, match=f"odd number of pixels on each side, got {size}"):
        kernel_of(KernelRecord("iso", size, 1.0, 1.0))
