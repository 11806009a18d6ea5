import numpy as np
import pytest
import torch

from portraitdata.degradation.batched.executor import degrade_batch
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.jpeg import compressed
from portraitdata.degradation.presets import preset_of
from portraitdata.degradation.records import record_from_json
from portraitdata.images.resampling import bicubic, to_8_bit


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_clean_is_matlabs_reduction_and_nothing_else(scale):
    record = draw_record(preset_of("clean"), 48, 64, scale, (0,))
    wanted = to_8_bit(bicubic(planes(picture()), 48 // scale, 64 // scale)) * 255
    reduced = planes(degrade(picture(), record)) * 255
    assert (reduced - wanted).abs().max() <= 1  # a half may be rounded either way
    assert (reduced == wanted.round()).float().mean() > 0.999
    torch.testing.assert_close(degrade_batch(planes(picture()), [record]) * 255, wanted, rtol=0, atol=1e-3)
    assert record_from_json(record.to_json()) == record


@pytest.mark.parametrize("scale", [1, 4])
def test_jpeg_compresses_what_was_reduced_once(scale):
    record = draw_record(preset_of("jpeg"), 48, 64, scale, (3,))
    clean = degrade(picture(), draw_record(preset_of("clean"), 48, 64, scale, (3,)))
    wanted = np.rint(compressed(clean.astype(np.float32) / 255, record.quality) * 255)
    assert np.abs(degrade(picture(), record) - wanted).mean() < 0.05
    assert record_from_json(record.to_json()) == record


def test_qualities_are_spread_over_their_range():
    qualities = [draw_record(preset_of("jpeg"), 8, 8, 4, (number,)).quality for number in range(400)]
    assert (min(qualities), max(qualities)) == (30, 95)
    assert np.mean(qualities) == pytest.approx(62.5, abs=3)


def test_a_batch_may_mix_plain_records_with_others():
    names = ("clean", "jpeg", "mild", "clean")
    records = [draw_record(preset_of(name), 48, 64, 2, (number,)) for number, name in enumerate(names)]
    mixed = degrade_batch(planes(picture()).expand(4, -1, -1, -1), records, exact=True)
    for number in (0, 1, 3):
        alone = degrade_batch(planes(picture()), [records[number]], exact=True)
        torch.testing.assert_close(mixed[number : number + 1], alone, rtol=0, atol=1.1 / 255)
