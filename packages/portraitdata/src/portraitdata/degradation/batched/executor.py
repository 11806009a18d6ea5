"""Degradation of a batch on the device it is on: every image its own way, in few large operations where ways agree.

All images are blurred together; sizes then differ, so resizing and noise go image by image, while blur and JPEG take
together what has one size at the moment. At the end all have the size of the LQ again.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.images.finite_values import check_finite_values
from portraitdata.degradation.batched.filtering import filter_batch, sharpen_batch
from portraitdata.degradation.batched.jpeg import compress_batch
from portraitdata.degradation.batched.noise import luma_of, noisy
from portraitdata.degradation.cpu_executor import check_size
from portraitdata.degradation.kernels import kernel_of, trimmed
from portraitdata.degradation.records import (
    ClassicalRecord,
    DegradationRecord,
    KernelRecord,
    OrderRecord,
    PlainRecord,
    ResizeMode,
    ResizeRecord,
    TwoOrderRecord,
)
from portraitdata.images.resampling import bicubic

Part = TypeVar("Part")
Images = list[Tensor]
"""Images (3, h, w) of any sizes."""


def degrade_batch(
    images: Float[Tensor, "b 3 h w"], records: Sequence[DegradationRecord], exact: bool = False
) -> Float[Tensor, "b 3 lh lw"]:
    """Degrade each image of a batch as its record says.

    Args:
        images: RGB in [0, 1]; computed in float32, also under autocast.
        records: One for each image, drawn for its size; all of one output size. They need agree in nothing else.
        exact: Take the noise fields of `portraitdata.degradation.cpu_executor.degrade`, drawn on the CPU and carried
            over: the result is then that one's but for the last digit and JPEG's transform. Otherwise torch draws
            them on the device from the same seeds: same law, other fields, repeatable on the same kind of device.

    Returns:
        RGB in [0, 1], rounded to 8 bits, of the records' output size.

    Raises:
        ValueError: If there is not one record for each image, sizes disagree, or a value is not finite.

    Example:
        >>> from portraitdata.degradation.drawing import draw_record
        >>> from portraitdata.degradation.presets import preset_of
        >>> records = [draw_record(preset_of("realesrgan"), 64, 48, 4, (0, 0, index)) for index in range(2)]
        >>> degrade_batch(torch.rand(2, 3, 64, 48), records).shape
        torch.Size([2, 3, 16, 12])
    """
    if len(images) != len(records):
        raise ValueError(f"Each image needs a record, got {len(images)} images and {len(records)} records.")
    sizes = {record.output_size for record in records}
    if len(sizes) != 1:
        raise ValueError(f"Images of a batch have one size, the records say {sorted(sizes)}.")
    for record in records:
        check_size(images.shape[-2], images.shape[-1], record)
    check_finite_values("The batch", images)
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        sharpen = [True if record.sharpen else None for record in records]
        values = together(list(images.float()), sharpen, lambda some, _: sharpen_batch(some))
        two_order = {number: record for number, record in enumerate(records) if isinstance(record, TwoOrderRecord)}
        classical = {number: record for number, record in enumerate(records) if isinstance(record, ClassicalRecord)}
        plain = {number: record for number, record in enumerate(records) if isinstance(record, PlainRecord)}
        degraded = _two_order([values[number] for number in two_order], list(two_order.values()), exact)
        degraded += _classical([values[number] for number in classical], list(classical.values()), exact)
        degraded += _plain([values[number] for number in plain], list(plain.values()))
        place = dict(zip((*two_order, *classical, *plain), degraded, strict=True))
        out = torch.stack([place[number] for number in range(len(records))])
        return (out * 255).round().clamp(0, 255) / 255


def together(
    images: Images,
    parts: Sequence[Part | None],
    operate: Callable[[Tensor, list[Part]], Tensor],
    alike: Callable[[Part], object] = lambda _: None,
) -> Images:
    """Do something to images of one size at once.

    Args:
        parts: What to do to each; None leaves it as it is.
        operate: Takes a batch (b, 3, h, w) and its parts.
        alike: Further property of the parts that a batch has in common.
    """
    groups: dict[object, list[int]] = {}
    for number, (image, part) in enumerate(zip(images, parts, strict=True)):
        if part is not None:
            groups.setdefault((image.shape, alike(part)), []).append(number)
    out = list(images)
    for numbers in groups.values():
        chosen = [part for number in numbers if (part := parts[number]) is not None]
        done = operate(torch.stack([images[number] for number in numbers]), chosen)
        for number, image in zip(numbers, done, strict=True):
            out[number] = image
    return out


def _two_order(images: Images, records: Sequence[TwoOrderRecord], exact: bool) -> Images:
    out = [_resized(image, *record.output_size, "area") for image, record in zip(images, records, strict=True)]
    through = [number for number, record in enumerate(records) if not record.untouched]
    degraded = _both_orders([images[number] for number in through], [records[number] for number in through], exact)
    for number, image in zip(through, degraded, strict=True):
        out[number] = image
    return out


def _both_orders(images: Images, records: Sequence[TwoOrderRecord], exact: bool) -> Images:
    images = _until_jpeg(images, [record.first for record in records], exact)
    images = together(images, [record.first.quality for record in records], compress_batch)
    images = _until_jpeg(images, [record.second for record in records], exact)
    before = [None if record.jpeg_last else record.second.quality for record in records]
    images = together(images, before, compress_batch)
    images = [
        _resized(image, *record.output_size, record.final_mode) for image, record in zip(images, records, strict=True)
    ]
    images = _blurred(images, [record.final_sinc for record in records])
    after = [record.second.quality if record.jpeg_last else None for record in records]
    return together(images, after, compress_batch)


def _until_jpeg(images: Images, orders: Sequence[OrderRecord], exact: bool) -> Images:
    images = _blurred(images, [order.blur for order in orders])
    images = _resized_to(images, [order.resize for order in orders])
    return [noisy(image, order.noise, exact) for image, order in zip(images, orders, strict=True)]


def _classical(images: Images, records: Sequence[ClassicalRecord], exact: bool) -> Images:
    images = _blurred(images, [record.blur for record in records])
    images = _resized_to(images, [record.reduced for record in records])
    images = [noisy(image, record.noise, exact) for image, record in zip(images, records, strict=True)]
    images = together(images, [record.quality for record in records], compress_batch)
    grey = [True if record.grey else None for record in records]
    images = together(images, grey, lambda some, _: luma_of(some).expand(-1, 3, -1, -1))
    return _resized_to(images, [ResizeRecord(record.height, record.width, "bilinear") for record in records])


def _plain(images: Images, records: Sequence[PlainRecord]) -> Images:
    images = together(
        images,
        [record.output_size for record in records],
        lambda some, sizes: bicubic(some, *sizes[0]),
        alike=lambda size: size,
    )
    return together(images, [record.quality or None for record in records], compress_batch)


def _blurred(images: Images, records: Sequence[KernelRecord]) -> Images:
    kernels = [None if record.kind == "none" else trimmed(kernel_of(record)) for record in records]
    return together(images, kernels, filter_batch, alike=len)


def _resized_to(images: Images, to: Sequence[ResizeRecord]) -> Images:
    return [_resized(image, size.height, size.width, size.mode) for image, size in zip(images, to, strict=True)]


def _resized(image: Tensor, height: int, width: int, mode: ResizeMode) -> Tensor:
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image.unsqueeze(0), size=(height, width), mode=mode)[0]
