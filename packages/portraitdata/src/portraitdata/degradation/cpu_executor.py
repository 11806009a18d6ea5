"""Degradation of one image on the CPU, as a worker of a data loader does it: OpenCV, NumPy and the real libjpeg."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from faceops.images.finite_values import check_finite_values
from portraitdata.degradation.filtering import filtered
from portraitdata.degradation.jpeg import compressed
from portraitdata.degradation.kernels import kernel_of
from portraitdata.degradation.noise import LUMA, eight_bit, noisy
from portraitdata.degradation.records import (
    ClassicalRecord,
    DegradationRecord,
    KernelRecord,
    OrderRecord,
    PlainRecord,
    ResizeRecord,
    TwoOrderRecord,
)
from portraitdata.degradation.resizing import reduced, resized
from portraitdata.degradation.sharpening import sharpened


def degrade(
    image: UInt8[np.ndarray, "h w 3"] | Float[np.ndarray, "h w 3"], record: DegradationRecord
) -> UInt8[np.ndarray, "lh lw 3"]:
    """Degrade an image as a record says. The same record gives the same bytes.

    Args:
        image: RGB, 8-bit or floats in [0, 1].
        record: What `portraitdata.degradation.drawing.draw_record` has drawn for the image's size.

    Returns:
        RGB, of the record's `output_size`.

    Raises:
        ValueError: If the image has another size than the record, or values that are not finite.

    Example:
        >>> from portraitdata.degradation.drawing import draw_record
        >>> from portraitdata.degradation.presets import preset_of
        >>> record = draw_record(preset_of("realesrgan"), 64, 48, 4, (0, 0, 1))
        >>> degrade(np.full((64, 48, 3), 128, np.uint8), record).shape
        (16, 12, 3)
    """
    check_size(image.shape[0], image.shape[1], record)
    values = image.astype(np.float32)
    if image.dtype == np.uint8:
        values *= np.float32(1 / 255)
    check_finite_values("The image", values)
    if record.sharpen:
        values = sharpened(values)
    if isinstance(record, ClassicalRecord):
        return eight_bit(_classical(values, record))
    if isinstance(record, PlainRecord):
        return eight_bit(_plain(values, record))
    return eight_bit(_two_order(values, record))


def check_size(height: int, width: int, record: DegradationRecord) -> None:
    """Refuse an image that the record was not drawn for."""
    if (height, width) != (record.height, record.width):
        raise ValueError(
            f"The record was drawn for an image of {record.width} x {record.height} pixels, got {width} x {height}."
        )


def _two_order(image: NDArray[np.float32], record: TwoOrderRecord) -> NDArray[np.float32]:
    height, width = record.output_size
    if record.untouched:
        return resized(image, height, width, "area")
    image = compressed(_until_jpeg(image, record.first), record.first.quality)
    image = _until_jpeg(image, record.second)
    if not record.jpeg_last:
        image = compressed(image, record.second.quality)
    image = _blurred(resized(image, height, width, record.final_mode), record.final_sinc)
    return compressed(image, record.second.quality) if record.jpeg_last else image


def _until_jpeg(image: NDArray[np.float32], order: OrderRecord) -> NDArray[np.float32]:
    return noisy(_resized(_blurred(image, order.blur), order.resize), order.noise)


def _classical(image: NDArray[np.float32], record: ClassicalRecord) -> NDArray[np.float32]:
    image = noisy(_resized(_blurred(image, record.blur), record.reduced), record.noise)
    image = compressed(image, record.quality)
    if record.grey:
        image = cv2.transform(image, LUMA.repeat(3, axis=0))
    return resized(image, record.height, record.width, "bilinear")


def _plain(image: NDArray[np.float32], record: PlainRecord) -> NDArray[np.float32]:
    image = reduced(image, *record.output_size)
    return compressed(image, record.quality) if record.quality else image


def _blurred(image: NDArray[np.float32], kernel: KernelRecord) -> NDArray[np.float32]:
    return image if kernel.kind == "none" else filtered(image, kernel_of(kernel))


def _resized(image: NDArray[np.float32], to: ResizeRecord) -> NDArray[np.float32]:
    return resized(image, to.height, to.width, to.mode)
