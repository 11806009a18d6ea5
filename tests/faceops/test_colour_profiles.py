import io
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from faceops.images.colour_profiles import (
    SRGB_TO_XYZ,
    TableProfile,
    has_way_back,
    is_srgb,
    srgb_decoded,
    srgb_encoded,
    usable_profile,
)
from faceops.images.decoding import decode_raster
from faceops.images.files import Picture, decode_picture, load_picture, save_picture, srgb_bytes

ADOBE_TO_XYZ = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
"""Adobe RGB (1998) primaries under D50, from the published profile."""


PROPHOTO_TO_XYZ = np.array([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]])
"""Primaries of ProPhoto RGB, far outside those of sRGB."""


def profile_bytes(tags: dict[bytes, bytes], space: bytes, connection: bytes = b"XYZ ") -> bytes:
    """A whole ICC profile of the given tags."""
    body, table, offset = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(content))
        body += content
    size = offset + len(body)
    header = (
        struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"mntr", space, connection).ljust(36, b"\0") + b"acsp"
    )
    header = header.ljust(68, b"\0") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def text(words: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(words) + 1) + words + bytes(79)


def matrix_profile(matrix: np.ndarray, curve: bytes) -> bytes:
    tags = {b"desc": text(b"test"), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)}
    for column, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*matrix[:, column])
        tags[name + b"TRC"] = curve
    return profile_bytes(tags, b"RGB ")


def table(convert: Callable[[np.ndarray], np.ndarray], points: int) -> bytes:
    """Look-up table (lut8Type) of a map of three numbers in [0, 1] to three."""
    steps = np.linspace(0, 1, points)
    inputs = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    outputs = np.rint(convert(inputs).clip(0, 1) * 255).astype(np.uint8).tobytes()
    line = bytes(range(256)) * 3
    return b"mft1\0\0\0\0" + bytes([3, 3, points, 0]) + fixed(*np.eye(3).ravel()) + line + outputs + line


D50 = SRGB_TO_XYZ.sum(axis=1)


def srgb_to_lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB colours, as tables of eight bits store it."""
    ratio = srgb_decoded(colours) @ SRGB_TO_XYZ.T / D50
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    return (lab * [2.55, 1, 1] + [0, 128, 128]) / 255


def lab_to_srgb(stored: np.ndarray) -> np.ndarray:
    lab = (stored * 255 - [0, 128, 128]) / [2.55, 1, 1]
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return srgb_encoded(ratio * D50 @ np.linalg.inv(SRGB_TO_XYZ).T)


def table_profile(there: Callable[[np.ndarray], np.ndarray], back: Callable[[np.ndarray], np.ndarray] | None) -> bytes:
    """Profile whose values v are the sRGB colours ``there(v)``."""
    tags = {b"desc": text(b"test"), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)}
    tags[b"A2B0"] = table(lambda values: srgb_to_lab(there(values)), 17)
    if back is not None:
        tags[b"B2A0"] = table(lambda stored: back(lab_to_srgb(stored)), 49)
    return profile_bytes(tags, b"RGB ", b"Lab ")


def swapped(values: np.ndarray) -> np.ndarray:
    """Red and blue changed for one another."""
    return values[..., ::-1]


ADOBE = matrix_profile(ADOBE_TO_XYZ, gamma(563 / 256))
GREY = profile_bytes(
    {b"desc": text(b"grey"), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249), b"kTRC": gamma(1.0)}, b"GRAY"
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = np.random.default_rng(0).integers(60, 196, (16, 16, 3), dtype=np.uint8)


def encoded(samples: np.ndarray, profile: bytes, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, kind, icc_profile=profile)
    return buffer.getvalue()


def test_transfer_function_and_its_inverse():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(srgb_encoded(srgb_decoded(values)), values, atol=1e-7)
    np.testing.assert_allclose(srgb_decoded(np.array([0.0, 0.5, 1.0])), [0, 0.21404114, 1], atol=1e-7)


def test_white_of_the_connection_space_is_d50():
    np.testing.assert_allclose(SRGB_TO_XYZ.sum(axis=1), [0.9642, 1.0, 0.8249], atol=2e-4)


def test_adobe_rgb_equals_little_cms():
    picture = decode_picture(encoded(COLOURS, ADOBE), "a")
    image = ImageCms.profileToProfile(
        Image.fromarray(COLOURS),
        ImageCms.ImageCmsProfile(io.BytesIO(ADOBE)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    ours = picture.pixels.permute(1, 2, 0).numpy() * 255
    assert abs(ours - COLOURS).max() > 5
    assert abs(ours - np.asarray(image)).max() < 1
    assert picture.icc_profile == ADOBE


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".avif"])
def test_colours_go_back_into_the_profile(tmp_path, suffix, bits):
    smooth = np.broadcast_to(np.linspace(70, 180, 48, dtype=np.uint8)[None, :, None], (48, 48, 3)) + np.array(
        [0, 9, 20], np.uint8
    )
    (tmp_path / "in.png").write_bytes(encoded(smooth, ADOBE))
    save_picture(replace(load_picture(tmp_path / "in.png"), bits=bits), tmp_path / f"out{suffix}")
    raw = decode_raster((tmp_path / f"out{suffix}").read_bytes(), "out")
    assert raw.icc_profile == ADOBE
    difference = abs(raw.samples / float(np.iinfo(raw.samples.dtype).max) * 255 - smooth)
    assert difference.max() <= {".png": 0.01, ".tif": 0.01}.get(suffix, 4)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_keep_their_precision_through_a_profile(tmp_path, suffix):
    samples = np.random.default_rng(1).integers(30000, 40000, (8, 8, 3)).astype(np.float32) / 65535
    linear = usable_profile(ADOBE, False).to_srgb(samples)
    save_picture(
        Picture(torch.from_numpy(linear).permute(2, 0, 1), bits=16, icc_profile=ADOBE), tmp_path / f"a{suffix}"
    )
    raw = decode_raster((tmp_path / f"a{suffix}").read_bytes(), "a")
    assert raw.icc_profile == ADOBE
    assert abs(raw.samples / 65535 - samples).max() < 2 / 65535
    torch.testing.assert_close(
        load_picture(tmp_path / f"a{suffix}").pixels.permute(1, 2, 0).numpy(), linear, rtol=0, atol=3e-5
    )


def test_srgb_profile_leaves_pixels_alone_and_is_kept(tmp_path):
    assert is_srgb(SRGB, False)
    assert not is_srgb(ADOBE, False)
    (tmp_path / "in.png").write_bytes(encoded(COLOURS, SRGB))
    picture = load_picture(tmp_path / "in.png")
    np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy() * 255, COLOURS, atol=1e-4)
    save_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == SRGB
        np.testing.assert_array_equal(np.asarray(out), COLOURS)


def test_grey_profile(tmp_path):
    grey = np.arange(20, 240, dtype=np.uint8).reshape(11, 20)
    (tmp_path / "in.png").write_bytes(encoded(grey, GREY))
    picture = load_picture(tmp_path / "in.png")
    np.testing.assert_allclose(picture.pixels[1].numpy(), srgb_encoded(grey / 255), atol=1e-5)
    save_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert (out.mode, out.info["icc_profile"]) == ("L", GREY)
        np.testing.assert_array_equal(np.asarray(out), grey)
    save_picture(picture, tmp_path / "out.webp")
    assert load_picture(tmp_path / "out.webp").icc_profile is None


def grey_profile(tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    return profile_bytes(
        {b"desc": text(b"grey"), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)} | tags, b"GRAY", connection
    )


def grey_table(lightness: np.ndarray, opponents: int = 32768) -> bytes:
    """Look-up table (lut16Type) of grey to Lab, evenly spaced."""
    straight = struct.pack(">2H", 0, 65535)
    head = b"mft2\0\0\0\0" + bytes([1, 3, len(lightness), 0]) + fixed(*np.eye(3).ravel()) + struct.pack(">HH", 2, 2)
    lab = np.stack([np.rint(lightness * 652.8), *[np.full(len(lightness), opponents)] * 2], 1).astype(">u2")
    return head + straight + lab.tobytes() + straight * 3


STEPS = np.linspace(0, 1, 256)
SAMPLED = b"curv\0\0\0\0" + struct.pack(">I", 256) + np.rint(STEPS**1.8 * 65535).astype(">u2").tobytes()
LIGHTNESS = 100 * np.linspace(0, 1, 33) ** 1.5


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("profile", "lightness"),
    [
        (grey_profile({b"kTRC": SAMPLED}), None),
        (grey_profile({b"kTRC": gamma(1.0)}, b"Lab "), 100 * STEPS),
        (grey_profile({b"A2B0": grey_table(LIGHTNESS)}, b"Lab "), np.interp(STEPS, np.linspace(0, 1, 33), LIGHTNESS)),
        (grey_profile({b"A2B0": grey_table(LIGHTNESS, 33768)}, b"Lab "), None),
    ],
    ids=["sampled curve", "lightness", "table", "toned table"],
)
def test_grey_of_curves_and_tables_is_kept(tmp_path, profile, lightness, bits):
    """Reference values: light is the 1.8th power of the curve's, or of L* by CIE 15."""
    samples = np.arange(256)[None].repeat(2, 0) * (2**bits - 1) // 255
    stored = Image.fromarray(samples.astype(np.uint8 if bits == 8 else np.uint16))
    stored.save(tmp_path / "in.png", icc_profile=profile)
    picture = load_picture(tmp_path / "in.png")
    assert (picture.bits, picture.grey, picture.icc_profile) == (bits, True, profile)
    if b"kTRC" in profile and lightness is None:
        np.testing.assert_allclose(picture.pixels[1, 0].numpy(), srgb_encoded(STEPS**1.8), atol=1e-4)
    if lightness is not None:
        light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
        # near black LittleCMS is coarser
        np.testing.assert_allclose(picture.pixels[1, 0].numpy(), srgb_encoded(light), atol=0.5 / 255)
    assert abs(picture.pixels[1, 0].numpy() - STEPS).max() > 3 / 255
    save_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
        difference = abs(np.asarray(out).astype(int) - samples)
    assert difference.max() <= (0 if bits == 8 else 2)


def test_grey_that_falls_is_converted_for_good(tmp_path):
    profile = grey_profile({b"A2B0": grey_table(np.array([100.0, 0.0]))}, b"Lab ")
    grey = np.array([[0, 128, 255]], np.uint8)
    (tmp_path / "in.png").write_bytes(encoded(grey, profile))
    picture = load_picture(tmp_path / "in.png")
    assert picture.icc_profile is None
    # L* is 100, 49.8 and 0
    np.testing.assert_allclose(picture.pixels[1, 0].numpy() * 255, [255, 118.5, 0], atol=0.5)


@pytest.mark.parametrize("profile", [b"", b"rubbish", ADOBE[:140], GREY, ADOBE.replace(b"rTRC", b"xxxx")])
def test_a_useless_profile_is_no_profile(tmp_path, profile):
    assert usable_profile(profile, False) is None
    picture = decode_picture(encoded(COLOURS, profile), "a")
    assert picture.icc_profile is None
    np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy() * 255, COLOURS, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        (0, (2.0,), lambda x: x**2),
        (1, (2.0, 1.0, -0.5), lambda x: np.where(x >= 0.5, (x - 0.5) ** 2, 0)),
        (2, (2.0, 0.5, -0.25, 0.5), lambda x: np.where(x >= 0.5, (0.5 * x - 0.25) ** 2 + 0.5, 0.5)),
        (3, (2.0, 1.0, 0.0, 0.25, 0.25), lambda x: np.where(x >= 0.25, x**2, 0.25 * x)),
        (
            4,
            (2.0, 0.5, 0.0, 0.25, 0.5, 0.5, 0.0625),
            lambda x: np.where(x >= 0.5, 0.25 * x**2 + 0.5, 0.25 * x + 0.0625),
        ),
    ],
)
def test_parametric_curves(kind, numbers, expected):
    curve = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*numbers)
    profile = usable_profile(matrix_profile(SRGB_TO_XYZ, curve), False)
    x = np.linspace(0, 1, 65536)
    np.testing.assert_allclose(profile.curves[0], expected(x), atol=1e-6)


def test_curves_by_points():
    curve = b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 16384, 65535)
    profile = usable_profile(matrix_profile(SRGB_TO_XYZ, curve), False)
    np.testing.assert_allclose(profile.curves[0][[0, 32768, 65535]], [0, 0.25, 1], atol=1e-4)


def test_table_profiles_go_through_little_cms():
    colours = np.random.default_rng(2).random((4, 4, 3))
    table = TableProfile(ADOBE)
    matrix = usable_profile(ADOBE, False)
    np.testing.assert_allclose(table.to_srgb(colours), matrix.to_srgb(colours), atol=2 / 255)
    inside = 0.25 + colours / 2
    np.testing.assert_allclose(table.from_srgb(inside), matrix.from_srgb(inside), atol=2 / 255)


def test_a_table_with_a_way_back_is_kept(tmp_path):
    profile = table_profile(swapped, swapped)
    assert has_way_back(profile, False)
    (tmp_path / "in.png").write_bytes(encoded(COLOURS, profile))
    picture = load_picture(tmp_path / "in.png")
    np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy() * 255, swapped(COLOURS), atol=4)
    save_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
        np.testing.assert_allclose(np.asarray(out).astype(int), COLOURS, atol=6)


def test_colours_of_a_table_outside_srgb_come_back(tmp_path):
    """Red is a fifth more in sRGB, so that 211 of red is the most that goes through it."""
    profile = table_profile(lambda values: values * [1.2, 1, 1], lambda seen: seen / [1.2, 1, 1])
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 90, 255), (128, 128, 128), (90, 120, 150)], np.uint8)
    colours = colours.repeat(4, axis=0)[None].repeat(4, axis=0)
    (tmp_path / "in.png").write_bytes(encoded(colours, profile))
    picture = load_picture(tmp_path / "in.png")
    assert (picture.icc_profile, picture.pixels[0, 0, 0].item()) == (profile, 1)
    save_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        away = abs(np.asarray(out).astype(int) - colours)
    assert away[:, :12].max() == 0
    assert away.max() <= 6


@pytest.mark.parametrize("back", [None, lambda values: values, lambda values: 0.94 * swapped(values)])
def test_a_profile_without_a_way_back_is_left_for_good(tmp_path, back):
    profile = table_profile(swapped, back)
    assert not has_way_back(profile, False)
    (tmp_path / "in.png").write_bytes(encoded(COLOURS, profile))
    picture = load_picture(tmp_path / "in.png")
    assert picture.icc_profile is None
    np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy() * 255, swapped(COLOURS), atol=4)
    for again in (picture, replace(picture, icc_profile=profile)):
        save_picture(again, tmp_path / "out.png")
        with Image.open(tmp_path / "out.png") as out:
            assert "icc_profile" not in out.info
            np.testing.assert_allclose(np.asarray(out).astype(int), swapped(COLOURS), atol=4)


def test_usual_profiles_have_a_way_back():
    assert all(has_way_back(profile, profile == GREY) for profile in (ADOBE, SRGB, GREY))
    assert has_way_back(matrix_profile(PROPHOTO_TO_XYZ, gamma(1.8)), False)
    assert not has_way_back(b"rubbish", False)


def test_cmyk_with_a_broken_profile_is_still_read():
    cmyk = Image.fromarray(COLOURS).convert("CMYK")
    buffer = io.BytesIO()
    cmyk.save(buffer, "TIFF", icc_profile=b"rubbish")
    picture = decode_picture(buffer.getvalue(), "a")
    assert picture.icc_profile is None
    np.testing.assert_allclose(
        picture.pixels.permute(1, 2, 0).numpy() * 255, np.asarray(cmyk.convert("RGB")), atol=1e-4
    )


def test_windows_for_training_equal_the_picture():
    data = encoded(COLOURS, ADOBE)
    window = srgb_bytes(decode_raster(data, "a"), 2, 3, 8, 10)
    whole = (decode_picture(data, "a").pixels * 255).round().byte().numpy()
    np.testing.assert_array_equal(window, whole[:, 2:10, 3:13])
