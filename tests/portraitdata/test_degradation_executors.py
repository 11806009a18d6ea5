import hashlib
from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.images.files import load_picture
from faceops.images.picture_files import find_pictures
from portraitdata.degradation.batched.executor import degrade_batch, together
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import PresetName, TwoOrderPreset, preset_of
from portraitdata.degradation.records import KernelRecord, NoiseRecord, OrderRecord, ResizeRecord, record_from_json

NAMES = get_args(PresetName)


def scale_of(name):
    return 4 if isinstance(preset_of(name), TwoOrderPreset) else 1


def textured(height=96, width=80, seed=0):
    soft = cv2.GaussianBlur(np.random.default_rng(seed).random((height, width, 3), dtype=np.float32), (0, 0), 2)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return np.rint(soft * 255).astype(np.uint8)


def as_batch(images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def difference(images, records):
    """Mean difference of the two executors for each image, of 255."""
    one_by_one = np.stack([degrade(image, record) for image, record in zip(images, records, strict=True)])
    at_once = degrade_batch(as_batch(images), records, exact=True).permute(0, 2, 3, 1).numpy() * 255
    return np.abs(one_by_one - at_once).mean(axis=(1, 2, 3))


@pytest.mark.parametrize("name", NAMES)
def test_both_executors_do_the_same(name):
    records = [draw_record(preset_of(name), 96, 80, scale_of(name), (7, 0, index)) for index in range(12)]
    means = difference([textured(seed=index) for index in range(12)], records)
    assert means.mean() < 0.4
    assert means.max() < 4


def test_executors_differ_by_much_more_if_the_records_do():
    records = [draw_record(preset_of("realesrgan"), 96, 80, 4, (7, 0, index)) for index in range(4)]
    images = [textured()] * 4
    one_by_one = np.stack([degrade(image, record) for image, record in zip(images, records, strict=True)])
    at_once = degrade_batch(as_batch(images), records[::-1], exact=True).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(one_by_one - at_once).mean() > 5


@pytest.mark.assets
def test_both_executors_do_the_same_to_portraits(assets):
    files = [file for folder in sorted((assets / "images/portraits").iterdir()) for file in find_pictures(folder)[:2]]
    images = []
    for file in files[:6]:
        pixels = (load_picture(file).pixels * 255).byte().permute(1, 2, 0).numpy()
        images.append(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA))
    records = [draw_record(preset_of("realesrgan"), 256, 256, 4, (0, 0, index)) for index in range(len(images))]
    assert difference(images, records).mean() < 0.4


@pytest.mark.parametrize("name", ["realesrgan", "stablesr-face"])
def test_the_same_record_gives_the_same_bytes(name):
    record = draw_record(preset_of(name), 96, 80, scale_of(name), (0, 0, 3))
    image = textured()
    first = degrade(image, record)
    degrade(image, draw_record(preset_of(name), 96, 80, scale_of(name), (0, 0, 4)))
    np.random.default_rng().random(5)
    assert (degrade(image, record_from_json(record.to_json())) == first).all()
    assert (degrade(image.astype(np.float32) * np.float32(1 / 255), record) == first).all()
    assert (degrade_batch(as_batch([image]), [record]) == degrade_batch(as_batch([image]), [record])).all()


def test_an_input_is_not_changed():
    image = textured()
    floats = image.astype(np.float32) / 255
    for argument in (image, floats):
        before = hashlib.sha256(argument.tobytes()).digest()
        for seed in range(5):
            degrade(argument, draw_record(preset_of("stablesr"), 96, 80, 4, (seed,)))
        assert hashlib.sha256(argument.tobytes()).digest() == before
    batch = as_batch([image])
    before_batch = batch.clone()
    degrade_batch(batch, [draw_record(preset_of("stablesr"), 96, 80, 4, (1,))])
    assert (batch == before_batch).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.sampled_from(NAMES), st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_any_size_goes_through_down_to_one_pixel(name, rows, columns, seed):
    scale = scale_of(name)
    record = draw_record(preset_of(name), rows * scale, columns * scale, scale, (seed,))
    image = textured(rows * scale, columns * scale)
    out = degrade(image, record)
    assert (out.dtype, out.shape) == (np.uint8, (rows, columns, 3))
    batch = degrade_batch(as_batch([image]), [record])
    assert batch.shape == (1, 3, rows, columns)
    assert 0 <= batch.min() <= batch.max() <= 1
    torch.testing.assert_close(batch * 255, (batch * 255).round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scale", [1, 2, 3, 8])
def test_other_scales(scale):
    record = draw_record(preset_of("realesrgan"), 24 * scale, 16 * scale, scale, (0,))
    assert degrade(textured(24 * scale, 16 * scale), record).shape == (24, 16, 3)


def nothing(height, width, scale):
    """A record whose stages leave the image as it is, but for JPEG of quality 100."""
    record = draw_record(preset_of("realesrgan"), height, width, scale, (0,))
    noise = NoiseRecord("gaussian", 0.0, grey=False, seed=0)
    none = KernelRecord("none")
    first = OrderRecord(none, ResizeRecord(height, width, "area"), noise, 100)
    second = replace(first, resize=ResizeRecord(height // scale, width // scale, "area"))
    return replace(record, first=first, second=second, final_sinc=none)


def test_lq_stays_where_the_image_is():
    """The centre of gravity of a blob: sizes that floor would otherwise pull the picture to one side."""
    height, width = 256, 320
    down, right = np.mgrid[0:height, 0:width]
    blob = np.exp(-((down - 200.5) ** 2 + (right - 60.5) ** 2) / (2 * 12.0**2))
    image = np.rint(blob * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    for mode in ("bilinear", "bicubic", "area"):
        record = nothing(height, width, 4)
        sizes = ResizeRecord(int(height * 0.3219), int(width * 0.3219), mode)
        record = replace(record, first=replace(record.first, resize=sizes))
        lq = degrade(image, record).astype(float)[..., 1]
        lq[lq < 3] = 0
        rows, columns = np.mgrid[0 : lq.shape[0], 0 : lq.shape[1]]
        centre = (lq * rows).sum() / lq.sum(), (lq * columns).sum() / lq.sum()
        # Pixel (y, x) of the image is at ((y + 1/2) / 4 - 1/2, ...) of the LQ.
        assert centre == pytest.approx((201 / 4 - 0.5, 61 / 4 - 0.5), abs=0.06)


def test_untouched_is_the_mean_of_blocks():
    image = textured(16, 24)
    record = replace(draw_record(preset_of("realesrgan"), 16, 24, 4, (0,)), untouched=True)
    expected = image.reshape(4, 4, 6, 4, 3).mean(axis=(1, 3))
    assert np.abs(degrade(image, record) - expected).max() <= 0.51
    mixed = degrade_batch(as_batch([image, image]), [record, replace(record, untouched=False)])
    assert np.abs(mixed[0].permute(1, 2, 0).numpy() * 255 - expected).max() <= 0.51
    assert (mixed[0] != mixed[1]).any()


@pytest.mark.parametrize("jpeg_last", [False, True])
def test_the_second_jpeg_comes_last_or_before_the_final_resize(jpeg_last):
    image = textured(128, 128)
    record = replace(nothing(128, 128, 4), jpeg_last=jpeg_last)
    record = replace(record, second=replace(record.second, resize=ResizeRecord(38, 38, "bicubic"), quality=10))
    lq = degrade(image, record)
    # Quality 10 leaves few coefficients of a block: if it was last, compressing again changes next to nothing.
    parameters = [cv2.IMWRITE_JPEG_QUALITY, 10]
    again = cv2.imdecode(cv2.imencode(".jpg", lq[..., ::-1], parameters)[1], cv2.IMREAD_COLOR)[..., ::-1]
    change = np.abs(again.astype(int) - lq).mean()
    assert change < 1.5 if jpeg_last else change > 2.5


def test_grey_faces_lose_their_colour():
    record = replace(draw_record(preset_of("stablesr-face"), 64, 64, 1, (0,)), grey=True)
    image = textured(64, 64)
    out = degrade(image, record)
    assert (out[..., :1] == out).all()
    batch = degrade_batch(as_batch([image]), [record], exact=True)
    assert (batch[:, :1] == batch).all()


def test_face_noise_and_compression_are_at_the_reduced_size():
    record = draw_record(preset_of("codeformer-2"), 64, 64, 1, (0,))
    record = replace(record, noise=replace(record.noise, strength=20.0), reduced=ResizeRecord(4, 4, "bilinear"))
    out = degrade(np.full((64, 64, 3), 128, np.uint8), record).astype(float)
    inner = out[8:56, 8:56]
    assert inner.std() > 1
    # Enlarged sixteen times, neighbours are close.
    assert np.abs(np.diff(inner, axis=1)).max() < 8


def test_autocast_and_half_precision_change_nothing():
    record = draw_record(preset_of("realesrgan"), 96, 80, 4, (0,))
    batch = as_batch([textured()])
    expected = degrade_batch(batch, [record])
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(degrade_batch(batch, [record]), expected, rtol=0, atol=0)
    half = degrade_batch(batch.half(), [record])
    assert half.dtype == torch.float32
    assert (half - expected).abs().mean() < 1 / 255


def test_wrong_sizes_are_said():
    record = draw_record(preset_of("realesrgan"), 96, 80, 4, (0,))
    with pytest.raises(ValueError, match="drawn for an image of 80 x 96 pixels, got 96 x 80"):
        degrade(textured(80, 96), record)
    with pytest.raises(ValueError, match="drawn for an image of 80 x 96 pixels, got 96 x 80"):
        degrade_batch(torch.rand(1, 3, 80, 96), [record])
    with pytest.raises(ValueError, match="got 2 images and 1 records"):
        degrade_batch(torch.rand(2, 3, 96, 80), [record])
    other = draw_record(preset_of("realesrgan"), 96, 80, 2, (0,))
    with pytest.raises(ValueError, match=r"have one size, the records say \[\(24, 20\), \(48, 40\)\]"):
        degrade_batch(torch.rand(2, 3, 96, 80), [record, other])


def test_a_batch_may_mix_processes():
    faces = draw_record(preset_of("daefr"), 32, 32, 1, (0,))
    whole = draw_record(preset_of("mild"), 32, 32, 1, (1,))
    image = textured(32, 32)
    mixed = degrade_batch(as_batch([image] * 3), [faces, whole, faces], exact=True)
    torch.testing.assert_close(mixed[0], mixed[2], rtol=0, atol=1.1 / 255)
    torch.testing.assert_close(
        mixed[1:2], degrade_batch(as_batch([image]), [whole], exact=True), rtol=0, atol=1.1 / 255
    )


def test_together_takes_what_is_alike_at_once_and_leaves_the_rest():
    images = [torch.full((3, side, 2), float(side)) for side in (1, 2, 1, 1)]
    seen = []

    def operate(batch, parts):
        seen.append((tuple(batch.shape), parts))
        return batch + 10

    out = together(images, [5, 6, None, 7], operate)
    assert seen == [((2, 3, 1, 2), [5, 7]), ((1, 3, 2, 2), [6])]
    assert [float(image.max()) for image in out] == [11, 12, 1, 11]


@pytest.mark.gpu
def test_both_executors_do_the_same_on_a_gpu():
    records = [draw_record(preset_of("realesrgan"), 96, 80, 4, (7, 0, index)) for index in range(8)]
    images = [textured(seed=index) for index in range(8)]
    one_by_one = np.stack([degrade(image, record) for image, record in zip(images, records, strict=True)])
    at_once = degrade_batch(as_batch(images).cuda(), records, exact=True).cpu().permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(one_by_one - at_once).mean() < 0.5
    drawn_there = degrade_batch(as_batch(images).cuda(), records)
    torch.testing.assert_close(drawn_there, degrade_batch(as_batch(images).cuda(), records), rtol=0, atol=0)
