import json
import math
from collections import Counter
from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import ClassicalPreset, PresetName, TwoOrderPreset, preset_of
from portraitdata.degradation.record_files import RecordedPicture, read_records, write_records
from portraitdata.degradation.records import record_from_json

NAMES = get_args(PresetName)
TWO_ORDER = ("realesrgan", "mild", "stablesr")
DRAWS = 1200


def drawn(name, count=DRAWS, height=512, width=384, scale=4):
    return [draw_record(preset_of(name), height, width, scale, (1, 0, index)) for index in range(count)]


@pytest.fixture(scope="module")
def realesrgan():
    return drawn("realesrgan")


def share(flags):
    return pytest.approx(float(np.mean(list(flags))), abs=4 * 0.5 / math.sqrt(DRAWS))


def assert_uniform(values, low, high):
    """Kolmogorov-Smirnov at about one in a thousand."""
    values = np.sort(values)
    assert low <= values[0]
    assert values[-1] <= high
    places = (values - low) / (high - low)
    distance = np.abs(places - (np.arange(len(values)) + 0.5) / len(values)).max()
    assert distance < 1.95 / math.sqrt(len(values))


def test_numbers_of_the_two_order_presets():
    # Columns of the configuration files: sigma, resize, Gaussian, Poisson, JPEG of order 1; of order 2; blur 2, sharpen
    rows = {}
    for name in TWO_ORDER:
        preset = preset_of(name)
        orders = [
            (o.blur.sigma, o.resize.factor, o.noise.gaussian, o.noise.poisson, o.jpeg)
            for o in (preset.first, preset.second)
        ]
        rows[name] = (*orders, preset.second.blur.probability, preset.sharpen_probability)
    one, two = (0.2, 3.0), (0.2, 1.5)
    assert rows["realesrgan"] == (
        (one, (0.15, 1.5), (1, 30), (0.05, 3), (30, 95)),
        (two, (0.3, 1.2), (1, 25), (0.05, 2.5), (30, 95)),
        0.8,
        0,
    )
    assert rows["mild"] == (
        (one, (0.3, 1.5), (1, 15), (0.05, 2), (60, 95)),
        (two, (0.6, 1.2), (1, 12), (0.05, 1), (60, 100)),
        0.5,
        0,
    )
    assert rows["stablesr"] == (
        ((0.2, 1.5), (0.3, 1.5), (1, 15), (0.05, 2), (60, 95)),
        ((0.2, 1.0), (0.6, 1.2), (1, 12), (0.05, 1), (60, 100)),
        0.5,
        1,
    )
    assert preset_of("stablesr").first.blur.generalised_beta == (0.5, 2)
    assert preset_of("stablesr").second.blur.plateau_beta == (1, 1.5)
    assert preset_of("stablesr").untouched_probability == 0.01


def test_numbers_of_the_face_presets():
    rows = {
        name: (preset.sigma, preset.reduction, preset.noise, preset.jpeg, preset.kernel_size)
        for name in NAMES
        if isinstance(preset := preset_of(name), ClassicalPreset)
    }
    assert rows == {
        "osediff-face": ((1, 15), (1, 30), (0, 20), (30, 100), 41),
        "codeformer-2": ((1, 15), (4, 30), (0, 20), (30, 80), 41),
        "codeformer-3": ((0.1, 10), (1, 12), (0, 15), (60, 100), 41),
        "stablesr-face": ((0.1, 15), (0.8, 32), (0, 20), (30, 100), 41),
        "daefr": ((0.1, 15), (0.8, 30), (0, 20), (30, 100), 19),
    }
    assert (preset_of("stablesr-face").grey_probability, preset_of("stablesr-face").sharpen_probability) == (0.01, 0.1)


def test_every_name_has_its_preset():
    assert [preset_of(name).name for name in NAMES] == list(NAMES)


def test_kinds_of_kernels_are_as_frequent_as_the_table_says(realesrgan):
    kinds = Counter(record.first.blur.kind for record in realesrgan)
    expected = {"iso": 0.45, "aniso": 0.25, "generalised_iso": 0.12, "generalised_aniso": 0.03, "plateau_iso": 0.12}
    expected["plateau_aniso"] = 0.03
    for kind, probability in expected.items():
        assert kinds[kind] / DRAWS == share([0.9 * probability])
    assert kinds["sinc"] / DRAWS == share([0.1])
    assert kinds["none"] == 0
    assert sum(record.second.blur.kind == "none" for record in realesrgan) / DRAWS == share([0.2])
    assert sum(record.final_sinc.kind == "none" for record in realesrgan) / DRAWS == share([0.2])
    sizes = Counter(record.first.blur.size for record in realesrgan)
    assert sorted(sizes) == [7, 9, 11, 13, 15, 17, 19, 21]
    assert all(count / DRAWS == share([1 / 8]) for count in sizes.values())


def test_shapes_of_kernels(realesrgan):
    blurs = [record.first.blur for record in realesrgan]
    family = [blur for blur in blurs if blur.kind not in ("sinc", "none")]
    assert_uniform([blur.sigma_x for blur in family], 0.2, 3.0)
    aniso = [blur for blur in family if blur.kind.endswith("aniso")]
    assert_uniform([blur.sigma_y for blur in aniso], 0.2, 3.0)
    assert_uniform([blur.rotation for blur in aniso], -math.pi, math.pi)
    assert abs(np.corrcoef([(blur.sigma_x, blur.sigma_y) for blur in aniso], rowvar=False)[0, 1]) < 0.15
    assert all(
        blur.sigma_x == blur.sigma_y and blur.rotation == 0 for blur in family if not blur.kind.endswith("aniso")
    )
    assert_uniform([record.second.blur.sigma_x for record in realesrgan if record.second.blur.sigma_x], 0.2, 1.5)
    betas = [blur.beta for blur in family if blur.kind.startswith("generalised")]
    assert_uniform([beta for beta in betas if beta < 1], 0.5, 1)
    assert_uniform([beta for beta in betas if beta > 1], 1, 4)
    plateaus = [blur.beta for blur in family if blur.kind.startswith("plateau")]
    assert np.mean([beta == 1 for beta in plateaus]) == pytest.approx(0.5, abs=0.12)
    assert_uniform([beta for beta in plateaus if beta > 1], 1, 2)
    sincs = [blur for blur in blurs if blur.kind == "sinc"]
    assert_uniform([blur.cutoff for blur in sincs if blur.size < 13], math.pi / 3, math.pi)
    assert_uniform([blur.cutoff for blur in sincs if blur.size >= 13], math.pi / 5, math.pi)
    finals = [record.final_sinc for record in realesrgan if record.final_sinc.kind == "sinc"]
    assert_uniform([kernel.cutoff for kernel in finals], math.pi / 3, math.pi)


def test_sizes(realesrgan):
    first = [record.first.resize.height / 512 for record in realesrgan]
    assert np.mean([factor > 1 for factor in first]) == share([0.2])
    assert np.mean([factor == 1 for factor in first]) == share([0.1 + 0.7 * 0.001])
    assert_uniform([factor for factor in first if factor < 1], 0.148, 1)
    assert_uniform([factor for factor in first if factor > 1], 1, 1.5)
    # The second resize is relative to the LQ, 128 high.
    second = [record.second.resize.height for record in realesrgan]
    assert np.mean([height > 128 for height in second]) == share([0.3])
    assert min(second) >= int(0.3 * 128)
    assert max(second) <= 1.2 * 128
    for order in ("first", "second"):
        modes = Counter(getattr(record, order).resize.mode for record in realesrgan)
        assert all(modes[mode] / DRAWS == share([1 / 3]) for mode in ("area", "bilinear", "bicubic"))
    assert realesrgan[0].output_size == (128, 96)


def test_noise_and_jpeg(realesrgan):
    for order, gaussian, poisson in (("first", (1, 30), (0.05, 3)), ("second", (1, 25), (0.05, 2.5))):
        noises = [getattr(record, order).noise for record in realesrgan]
        assert np.mean([noise.kind == "gaussian" for noise in noises]) == share([0.5])
        for kind, span in (("gaussian", gaussian), ("poisson", poisson)):
            assert_uniform([noise.strength for noise in noises if noise.kind == kind], *span)
            grey = [noise.grey for noise in noises if noise.kind == kind]
            assert np.mean(grey) == pytest.approx(0.4, abs=0.06)
        qualities = [getattr(record, order).quality for record in realesrgan]
        assert (min(qualities), max(qualities)) == (30, 95)
    assert np.mean([record.jpeg_last for record in realesrgan]) == share([0.5])
    assert len({record.first.noise.seed for record in realesrgan}) == DRAWS
    assert not any(record.sharpen or record.untouched for record in realesrgan)


def test_rare_draws_of_stablesr_and_its_faces():
    records = drawn("stablesr", 1000)
    assert all(record.sharpen for record in records)
    assert 2 <= sum(record.untouched for record in records) <= 24
    faces = drawn("stablesr-face", 1000, 64, 64, 1)
    assert 2 <= sum(record.grey for record in faces) <= 24
    assert np.mean([record.sharpen for record in faces]) == pytest.approx(0.1, abs=0.035)


def test_face_presets_draw_uniformly():
    records = drawn("codeformer-2", 1500, 512, 512, 1)
    assert np.mean([record.blur.kind == "aniso" for record in records]) == pytest.approx(0.5, abs=0.05)
    assert_uniform([record.blur.sigma_x for record in records], 1, 15)
    assert_uniform([record.noise.strength for record in records], 0, 20)
    assert {record.blur.size for record in records} == {41}
    heights = [record.reduced.height for record in records]
    assert (min(heights), max(heights)) == (512 // 30, 127)  # floor(512 / r) of r in (4, 30]
    assert records[0].output_size == (512, 512)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(NAMES), st.tuples(*[st.integers(0, 2**40)] * 3), st.integers(1, 40), st.integers(1, 40))
def test_json_gives_the_same_record_back(name, seed, rows, columns):
    scale = 4 if isinstance(preset_of(name), TwoOrderPreset) else 1
    record = draw_record(preset_of(name), rows * scale, columns * scale, scale, seed)
    text = record.to_json()
    assert "\n" not in text
    assert record_from_json(text) == record
    assert record_from_json(json.dumps(json.loads(text), indent=2)) == record
    assert record == draw_record(preset_of(name), rows * scale, columns * scale, scale, seed)


def test_each_number_of_the_seed_counts():
    preset = preset_of("realesrgan")
    seeds = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert len({draw_record(preset, 64, 64, 4, seed) for seed in seeds}) == 4


def test_draws_are_those_they_have_always_been():
    # A record is drawn with NumPy's default_rng((0, 0, 0)); a change here changes every training run.
    record = draw_record(preset_of("realesrgan"), 512, 512, 4, (0, 0, 0))
    assert (record.first.blur.kind, record.first.blur.size, record.first.resize.height) == ("plateau_iso", 7, 512)
    assert (record.first.quality, record.jpeg_last) == (77, False)
    assert (record.second.noise.kind, record.second.noise.seed) == ("poisson", 3455860180808483)


def test_global_random_state_is_left_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    drawn("mild", 3)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("name", "height", "width", "scale", "seed", "message"),
    [
        ("realesrgan", 510, 512, 4, (0,), "512 x 510 pixels cannot be reduced by 4: crop it"),
        ("realesrgan", 0, 4, 4, (0,), "cannot be reduced by 4"),
        ("realesrgan", 4, 4, 0, (0,), "cannot be reduced by 0"),
        ("codeformer-2", 512, 512, 4, (0,), "its scale is 1, not 4"),
        ("mild", 4, 4, 4, (-1, 2), r"from zero on, got \(-1, 2\)"),
        ("mild", 4, 4, 4, (), "one or more whole numbers"),
    ],
)
def test_what_cannot_be_drawn_is_said(name, height, width, scale, seed, message):
    with pytest.raises(ValueError, match=message):
        draw_record(preset_of(name), height, width, scale, seed)


def test_damaged_records_are_refused():
    record = draw_record(preset_of("mild"), 8, 8, 4, (0,))
    content = json.loads(record.to_json())
    for damage, message in (
        ({"process": "three-order"}, "two-order, classical or plain, got 'three-order'"),
        ({"height": "8"}, "height of a TwoOrderRecord is of type int, got '8'"),
        ({"sharpen": 1}, "sharpen of a TwoOrderRecord is of type bool, got 1"),
        ({"final_mode": "nearest"}, "final_mode of a TwoOrderRecord is one of area, bilinear, bicubic, got 'nearest'"),
        ({"first": 3}, "A OrderRecord has the fields blur, noise, quality, resize, got 3"),
        ({"more": 3}, "has the fields .*, got .*more"),
    ):
        with pytest.raises(ValueError, match=message):
            record_from_json(json.dumps(content | damage))
    with pytest.raises(ValueError, match="is a line of JSON, got 'hello'"):
        record_from_json("hello")


def test_record_files(tmp_path):
    pictures = [RecordedPicture(name, 1, 2, drawn("mild", 1)[0]) for name in ("b.png", "ä/a.png")]
    write_records(pictures, tmp_path / "records.jsonl")
    assert read_records(tmp_path / "records.jsonl") == {picture.name: picture for picture in pictures}
    (tmp_path / "other.jsonl").write_text('{"name": "a.png", "top": 0}\n')
    with pytest.raises(ValueError, match=r"other\.jsonl, line 1, is no degradation record"):
        read_records(tmp_path / "other.jsonl")
    line = (tmp_path / "records.jsonl").read_text().replace('"top": 1', '"top": -1')
    (tmp_path / "other.jsonl").write_text(line)
    with pytest.raises(ValueError, match="row and column 0 or later, got -1 and 2"):
        read_records(tmp_path / "other.jsonl")
    (tmp_path / "image.jsonl").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ValueError, match=r"image\.jsonl is no file of degradation records"):
        read_records(tmp_path / "image.jsonl")


def test_presets_and_records_cannot_be_changed_but_replaced():
    preset = preset_of("realesrgan")
    sharper = replace(preset, sharpen_probability=1.0)
    assert draw_record(sharper, 8, 8, 4, (0,)).sharpen
    assert not draw_record(preset, 8, 8, 4, (0,)).sharpen
    for kind in (preset, draw_record(preset, 8, 8, 4, (0,))):
        with pytest.raises(AttributeError, match="cannot assign"):
            setattr(kind, fields(kind)[0].name, "other")
