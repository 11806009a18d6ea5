"""Blur kernels of Real-ESRGAN: Gaussians, generalised Gaussians, plateaus, and the sinc filter that rings.

With q = x^T S^-1 x, the covariance S = R diag(sigma_x^2, sigma_y^2) R^T and the centre of the kernel at 0 (Wang et al.,
2021, Eq. 2 to 6):

* Gaussian: exp(-q / 2)
* generalised Gaussian: exp(-q^beta / 2)
* plateau: 1 / (1 + q^beta)
* sinc: w J1(w r) / (2 pi r), the ideal low-pass of cutoff w, cut off at the border of the kernel
"""

import math

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from portraitdata.degradation.records import KernelRecord

NEGLIGIBLE = 1e-6
"""Weight that may be cut off a kernel's border altogether: it changes no value by more than 1/4000 of a level."""


def kernel_of(record: KernelRecord) -> Float64[np.ndarray, "size size"]:
    """The kernel that a record describes, of sum one; at its true size, not padded.

    Convention: the first index runs down, the second to the right; a positive rotation turns the first axis of the
    Gaussian from right towards down.

    Raises:
        ValueError: If the size is even or less than one.

    Example:
        >>> kernel_of(KernelRecord("iso", 3, sigma_x=0.5, sigma_y=0.5)).round(3).tolist()
        [[0.011, 0.084, 0.011], [0.084, 0.619, 0.084], [0.011, 0.084, 0.011]]
        >>> kernel_of(KernelRecord("none")).tolist()
        [[1.0]]
    """
    if record.size < 1 or record.size % 2 == 0:
        raise ValueError(f"A kernel has an odd number of pixels on each side, got {record.size}.")
    if record.kind == "none":
        return np.ones((1, 1))
    values = _sinc(record.size, record.cutoff) if record.kind == "sinc" else _gaussian_family(record)
    return values / values.sum()


def trimmed(kernel: Float64[np.ndarray, "size size"]) -> Float64[np.ndarray, "trimmed trimmed"]:
    """The kernel without the outer rings that weigh less than `NEGLIGIBLE` together, of the same sum.

    Example:
        >>> trimmed(kernel_of(KernelRecord("iso", 21, sigma_x=0.5, sigma_y=0.5))).shape
        (5, 5)
    """
    magnitude = np.abs(kernel)
    inner, ring = kernel, 0
    for margin in range(1, kernel.shape[0] // 2 + 1):
        inside = kernel[margin:-margin, margin:-margin]
        if magnitude.sum() - np.abs(inside).sum() > NEGLIGIBLE:
            break
        inner, ring = inside, margin
    return inner if ring == 0 else inner * (kernel.sum() / inner.sum())


def _gaussian_family(record: KernelRecord) -> NDArray[np.float64]:
    q = _mahalanobis(record)
    if record.kind.startswith("generalised"):
        return np.exp(-0.5 * q**record.beta)
    if record.kind.startswith("plateau"):
        return 1 / (1 + q**record.beta)
    return np.exp(-0.5 * q)


def _mahalanobis(record: KernelRecord) -> NDArray[np.float64]:
    """Squared distance q of every pixel from the centre, in standard deviations."""
    half = record.size // 2
    down, right = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    cos, sin = math.cos(record.rotation), math.sin(record.rotation)
    first, second = cos * right + sin * down, cos * down - sin * right
    return (first / record.sigma_x) ** 2 + (second / record.sigma_y) ** 2


def _sinc(size: int, cutoff: float) -> NDArray[np.float64]:
    half = size // 2
    down, right = np.mgrid[-half : half + 1, -half : half + 1]
    radius = np.hypot(down, right)
    radius[half, half] = 1.0
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy()
    values = cutoff * bessel / (2 * math.pi * radius)
    values[half, half] = cutoff**2 / (4 * math.pi)
    return values
