"""Colours outside sRGB: clipped while a picture is worked on, and there again in its own profile."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from faceops.images.coded_colours import D50, D65, PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.colour_profiles import usable_profile
from faceops.images.decoding import decode_raster
from faceops.images.files import decode_picture, load_picture, save_picture
from faceops.images.opacity import without_hidden_colours
from portraitdata.images.resampling import bicubic

P3 = icc_profile(PRIMARIES[12], SRGB_CURVE, False)
ADOBE = icc_profile((D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (563 / 256,), False)
PROPHOTO = icc_profile((D50, (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (1.8,), False)
PROFILES = pytest.mark.parametrize("profile", [P3, ADOBE, PROPHOTO], ids=["P3", "Adobe RGB", "ProPhoto"])

SIDE = 8
"""Of a patch, in pixels."""

SATURATED = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 200, 180), (120, 0, 90)]
NEUTRAL = [(0, 0, 0), (90, 90, 90), (255, 255, 255), (200, 180, 170), (100, 110, 120), (128, 128, 128)]


def patches(scale: int = 1) -> NDArray[np.uint8]:
    """Saturated colours above, neutral ones beneath."""
    return np.array([SATURATED, NEUTRAL], np.uint8).repeat(SIDE * scale, axis=0).repeat(SIDE * scale, axis=1)


def encoded(samples: NDArray[np.uint8], profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "PNG", icc_profile=profile)
    return buffer.getvalue()


def deep(samples: NDArray[np.uint16], profile: bytes) -> bytes:
    """PNG of 16 bits with a profile."""
    content = b"iCCPicc\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    _, png = cv2.imencode(".png", samples[..., ::-1])
    return png.tobytes()[:33] + chunk + png.tobytes()[33:]


def stored(path: Path) -> NDArray[np.float64]:
    """Samples of a file in its own colours, from 0 to 255."""
    samples = decode_raster(path.read_bytes(), path.name).samples
    return samples / np.iinfo(samples.dtype).max * 255.0


@PROFILES
def test_pictures_that_nobody_changes_come_back(tmp_path: Path, profile: bytes) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    colours[:20] //= 255  # nothing but the corners of the cube
    colours[:20] *= 255
    picture = decode_picture(encoded(colours, profile), "a")
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    save_picture(picture, tmp_path / "a.png")
    np.testing.assert_array_equal(decode_raster((tmp_path / "a.png").read_bytes(), "a").samples, colours)


@PROFILES
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_come_back(tmp_path: Path, profile: bytes, suffix: str) -> None:
    samples = patches().astype(np.uint16) * 257
    samples[SIDE:] = np.random.default_rng(1).integers(30000, 34000, samples[SIDE:].shape)
    (tmp_path / "in.png").write_bytes(deep(samples, profile))
    picture = load_picture(tmp_path / "in.png")
    assert (picture.bits, picture.icc_profile) == (16, profile)
    save_picture(picture, tmp_path / f"out{suffix}")
    again = decode_raster((tmp_path / f"out{suffix}").read_bytes(), "out").samples.astype(int)
    assert abs(again - samples).max() <= 16, "what is clipped is kept in half precision"
    assert abs(again - samples)[SIDE:].max() <= 2


@PROFILES
def test_an_enlarged_picture_has_them(tmp_path: Path, profile: bytes) -> None:
    picture = decode_picture(encoded(patches(), profile), "a")
    height, width = picture.pixels.shape[1:]
    large = bicubic(picture.pixels, 2 * height, 2 * width).clamp(0, 1)
    save_picture(replace(picture, pixels=large), tmp_path / "a.png")
    away = abs(stored(tmp_path / "a.png") - patches(2)).reshape(2, 2 * SIDE, 6, 2 * SIDE, 3)
    assert away[:, 4:-4, :, 4:-4].max() <= 1
    small = bicubic(picture.pixels, height // 2, width // 2).clamp(0, 1)
    save_picture(replace(picture, pixels=small), tmp_path / "b.png")
    middles = stored(tmp_path / "b.png")[SIDE // 4 :: SIDE // 2, SIDE // 4 :: SIDE // 2]
    np.testing.assert_allclose(middles, [SATURATED, NEUTRAL], atol=6)


def test_what_the_work_changes_is_changed(tmp_path: Path) -> None:
    """A red that is made darker stays redder than sRGB has it, and nothing leaves the range."""
    picture = decode_picture(encoded(patches(), P3), "a")
    save_picture(replace(picture, pixels=0.8 * picture.pixels), tmp_path / "a.png")
    red = stored(tmp_path / "a.png")[SIDE // 2, SIDE // 2]
    plain = usable_profile(P3, False).from_srgb(np.array([[[0.8, 0, 0]]], np.float32))[0, 0] * 255
    assert red[0] == pytest.approx(plain[0] + 255 - 234, abs=1)
    assert red[1:].max() == 0


def test_nothing_is_kept_where_nothing_is_clipped() -> None:
    assert decode_picture(encoded(patches(), None), "a").outside_srgb is None
    assert decode_picture(encoded(patches()[SIDE:], P3), "a").outside_srgb is None
    grey = icc_profile(PRIMARIES[1], (1.8,), True)
    assert decode_picture(encoded(patches()[..., 0], grey), "a").outside_srgb is None
    clipped = decode_picture(encoded(patches(), P3), "a").outside_srgb
    assert clipped is not None
    assert (clipped.shape, clipped.dtype) == ((3, 2 * SIDE, 6 * SIDE), torch.float16)
    assert clipped[:, SIDE:].abs().max() < 2e-4


def test_without_the_profile_the_colours_stay_clipped(tmp_path: Path) -> None:
    picture = decode_picture(encoded(patches(), P3), "a")
    save_picture(replace(picture, icc_profile=None), tmp_path / "a.png")
    assert stored(tmp_path / "a.png")[0, 0].tolist() == [255, 0, 0]
    assert decode_raster((tmp_path / "a.png").read_bytes(), "a").icc_profile is None


def test_transparent_red_on_the_white_of_jpeg(tmp_path: Path) -> None:
    opacity = np.full((16, 16, 1), 128, np.uint8)
    red = np.concatenate([np.broadcast_to(np.array([255, 0, 0], np.uint8), (16, 16, 3)), opacity], axis=2)
    picture = decode_picture(encoded(red, P3), "a")
    save_picture(picture, tmp_path / "a.png")
    np.testing.assert_array_equal(stored(tmp_path / "a.png"), red)
    with pytest.warns(UserWarning, match="flattened on white"):
        save_picture(picture, tmp_path / "a.jpg")
    # half way to white in sRGB, were it not clipped: red there is 1.093, -0.227, -0.150
    np.testing.assert_allclose(stored(tmp_path / "a.jpg")[8, 8], [247, 110, 113], atol=4)


def test_hidden_colours_leak_neither(tmp_path: Path) -> None:
    """Of a cut-out: grey beside wholly transparent red, and red beside wholly transparent black."""
    shown = np.array([(255, 0, 0, 0), (128, 128, 128, 255), (0, 0, 0, 0), (255, 0, 0, 255)], np.uint8)
    picture = without_hidden_colours(decode_picture(encoded(shown.repeat(16, axis=0)[None].repeat(8, axis=0), P3), "a"))
    large = bicubic(picture.pixels, 16, 128).clamp(0, 1)
    opacity = bicubic(picture.alpha, 16, 128).clamp(0, 1)
    save_picture(replace(picture, pixels=large, alpha=opacity), tmp_path / "a.png")
    row = stored(tmp_path / "a.png")[8, :, :3]
    np.testing.assert_allclose(row[32:64], 128, atol=1)
    np.testing.assert_allclose(row[96:], np.broadcast_to([255, 0, 0], (32, 3)), atol=1)


def test_what_is_restored_may_be_worked_on_again(tmp_path: Path) -> None:
    """The colours outside are those of the file that was read, however large the pixels are now."""
    shown = np.array([(0, 0, 0, 0), (255, 0, 0, 255)], np.uint8).repeat(8, axis=0)[None].repeat(8, axis=0)
    picture = decode_picture(encoded(shown, P3), "a")
    large = replace(picture, pixels=bicubic(picture.pixels, 16, 32), alpha=bicubic(picture.alpha, 16, 32).clamp(0, 1))
    save_picture(without_hidden_colours(large), tmp_path / "a.png")
    np.testing.assert_allclose(stored(tmp_path / "a.png")[8, 20:, :3], np.broadcast_to([255, 0, 0], (12, 3)), atol=1)
