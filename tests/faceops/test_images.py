import errno
import io
import os
import struct
import sys
import warnings
import zlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, TiffImagePlugin

from faceops.images.decoding import MAX_PIXELS, decode_raster, open_header, upright_size
from faceops.images.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageFileError,
    MissingImageError,
    NotAnImageError,
    TooLargeImageError,
    UnsupportedImageError,
)
from faceops.images.files import Picture, decode_picture, load_picture, save_picture
from faceops.images.picture_files import find_pictures, is_picture

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
RGBA = RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (5, 7, 4), dtype=np.uint16)
SMOOTH = np.stack([*np.meshgrid(np.linspace(40, 200, 24), np.linspace(60, 220, 16)), np.full((16, 24), 90.0)], -1)
SMOOTH = SMOOTH.round().astype(np.uint8)
TURNED_HEIC = Path(__file__).with_name("turned.heic").read_bytes()


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def levels(picture: Picture, bits: int = 8) -> np.ndarray:
    """Pixels as whole numbers, (h, w, 3)."""
    scaled = picture.pixels.permute(1, 2, 0).double().numpy() * (2**bits - 1)
    np.testing.assert_allclose(scaled, scaled.round(), atol=0.01)
    return scaled.round().astype(int)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats(kind):
    picture = decode_picture(encoded(Image.fromarray(RGB), kind), "a")
    np.testing.assert_array_equal(levels(picture), RGB)
    assert (picture.bits, picture.grey, picture.alpha, picture.icc_profile, picture.exif) == (
        8,
        False,
        None,
        None,
        None,
    )
    assert picture.pixels.dtype == torch.float32
    assert picture.pixels.shape == (3, 5, 7)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("RGBA", "PNG"),
        ("CMYK", "TIFF"),
        ("L", "JPEG"),
    ],
)
def test_every_mode_becomes_rgb(mode, kind):
    image = Image.fromarray(RGBA).convert(mode) if mode != "CMYK" else Image.fromarray(RGB).convert("CMYK")
    data = encoded(image, kind)
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA").convert("RGB"))
    picture = decode_picture(data, "a")
    np.testing.assert_array_equal(levels(picture), wanted)
    assert picture.grey == (mode in ("1", "L", "LA"))
    with Image.open(io.BytesIO(data)) as stored:
        assert (picture.alpha is not None) == (mode in ("LA", "RGBA") or "transparency" in stored.info)


def test_transparent_palette_has_alpha():
    image = Image.fromarray(RGB).quantize(8)
    alpha = decode_picture(encoded(image, "PNG", transparency=bytes([0, 128] + [255] * 6)), "a").alpha
    wanted = np.choose(np.asarray(image), [0, 128] + [255] * 6)
    np.testing.assert_allclose(alpha[0].numpy() * 255, wanted, atol=1e-4)


def test_alpha_is_straight():
    picture = decode_picture(encoded(Image.fromarray(RGBA), "PNG"), "a")
    np.testing.assert_array_equal(levels(picture), RGBA[..., :3])
    np.testing.assert_allclose(picture.alpha[0].numpy() * 255, RGBA[..., 3], atol=1e-4)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_kept(suffix, channels):
    samples = DEEP[..., 0] if channels == 1 else DEEP[..., :channels]
    stored = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]
    picture = decode_picture(cv2.imencode(suffix, stored)[1].tobytes(), "a")
    wanted = np.repeat(samples[..., None], 3, 2) if channels == 1 else samples[..., :3]
    assert (picture.bits, picture.grey) == (16, channels == 1)
    np.testing.assert_array_equal(levels(picture, 16), wanted)
    if channels == 4:
        np.testing.assert_allclose(picture.alpha[0].numpy() * 65535, DEEP[..., 3], atol=0.01)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
def test_saved_and_loaded_is_the_same(tmp_path, suffix, bits, grey, transparent):
    full = 2**bits - 1
    pixels = torch.from_numpy(RANDOM.integers(0, full + 1, (1 if grey else 3, 6, 9)) / full).float().expand(3, -1, -1)
    alpha = torch.from_numpy(RANDOM.integers(0, full + 1, (1, 6, 9)) / full).float() if transparent else None
    save_picture(Picture(pixels, alpha, bits=bits, grey=grey), tmp_path / f"a{suffix}")
    again = load_picture(tmp_path / f"a{suffix}")
    torch.testing.assert_close(again.pixels, pixels, rtol=0, atol=1e-6)
    assert again.bits == bits
    assert again.grey == (grey and not (suffix == ".tif" and transparent))
    assert (again.alpha is None) == (alpha is None)
    if alpha is not None:
        torch.testing.assert_close(again.alpha, alpha, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("suffix", "limit"), [(".jpg", 3), (".jpeg", 3), (".webp", 12), (".JPG", 3)])
def test_lossy_formats(tmp_path, suffix, limit):
    picture = decode_picture(encoded(Image.fromarray(SMOOTH), "PNG"), "a")
    save_picture(picture, tmp_path / f"a{suffix}", quality=95)
    assert abs(levels(load_picture(tmp_path / f"a{suffix}")) - SMOOTH.astype(int)).max() <= limit


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
def test_avif(tmp_path, bits, grey, transparent):
    smooth = torch.from_numpy(SMOOTH).permute(2, 0, 1) / 255 + 0.3 / 255
    alpha = torch.linspace(0.2, 1, 24).expand(1, 16, 24) if transparent else None
    picture = Picture(smooth[:1].expand(3, -1, -1) if grey else smooth, alpha, bits=bits, grey=grey)
    save_picture(picture, tmp_path / "a.avif", quality=95)
    again = load_picture(tmp_path / "a.avif")
    assert (again.bits, again.grey, again.icc_profile) == (bits, grey and not transparent, None)
    # of 8 bits luma and chroma are rounded too
    assert (again.pixels - picture.pixels).abs().max() <= (4.5 if bits == 8 else 1.5) / 255
    assert (again.alpha is None) == (alpha is None)
    if alpha is not None:
        assert (again.alpha - alpha).abs().max() <= 3 / 255


def test_a_pillow_without_avif(tmp_path, monkeypatch):
    monkeypatch.delitem(Image.SAVE, "AVIF")
    monkeypatch.setattr(Image, "init", lambda: None)
    with pytest.raises(UnsupportedImageError, match=r"This Pillow is built without AVIF; .* or write \.png"):
        save_picture(Picture(torch.zeros(3, 4, 4)), tmp_path / "a.avif")
    assert list(tmp_path.iterdir()) == []


def test_jpeg_flattens_alpha_on_white_and_says_so(tmp_path):
    picture = Picture(torch.zeros(3, 16, 16), alpha=torch.zeros(1, 16, 16))
    with pytest.warns(UserWarning, match=r"JPEG has no transparency: .*a\.jpg is flattened on white"):
        save_picture(picture, tmp_path / "a.jpg")
    assert levels(load_picture(tmp_path / "a.jpg")).min() == 255


def test_quality_and_full_colour_resolution_of_jpeg(tmp_path):
    picture = Picture(torch.rand(3, 64, 64))
    for suffix, bits in (("jpg", 8), ("avif", 8), ("avif", 16)):
        low, high = tmp_path / f"low.{suffix}", tmp_path / f"high.{suffix}"
        save_picture(replace(picture, bits=bits), low, quality=30)
        save_picture(replace(picture, bits=bits), high, quality=95)
        assert low.stat().st_size < high.stat().st_size / 2
    with Image.open(tmp_path / "high.jpg") as image:
        assert image.layer[1][1:3] == (1, 1)


def test_values_outside_are_clipped(tmp_path):
    save_picture(Picture(torch.tensor([-1.0, 2.0, 0.5]).reshape(3, 1, 1).expand(3, 4, 4)), tmp_path / "a.png")
    assert levels(load_picture(tmp_path / "a.png"))[0, 0].tolist() == [0, 255, 128]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(kind, orientation):
    image = Image.fromarray(SMOOTH)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    data = encoded(image, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    picture = decode_picture(data, "a")
    np.testing.assert_array_equal(levels(picture), wanted)
    assert upright_size(open_header(io.BytesIO(data), "a")) == (wanted.shape[1], wanted.shape[0])
    kept = Image.Exif()
    kept.load(picture.exif)
    assert (kept.get(0x0112, 1), kept[0x010F]) == (1, "Camera")


def test_orientation_of_16_bit_files():
    png = cv2.imencode(".png", DEEP[..., :3])[1].tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content + struct.pack(">I", zlib.crc32(b"eXIf" + content))
    turned = levels(decode_picture(png[:33] + chunk + png[33:], "a"), 16)
    np.testing.assert_array_equal(turned, np.rot90(DEEP[..., 2::-1], -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_tiff(orientation):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in {
        256: 7,
        257: 5,
        258: (16,) * 3,
        259: 1,
        262: 2,
        273: 0,
        274: orientation,
        277: 3,
        278: 5,
    }.items():
        tags[tag] = value
    tags[279] = 5 * 7 * 6
    buffer = io.BytesIO()
    tags.save(buffer)
    data = buffer.getvalue() + DEEP[..., :3].tobytes()
    high_bytes = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    picture = decode_picture(data, "a")
    assert picture.bits == 16
    assert abs(levels(picture, 16) // 256 - high_bytes.astype(int)).max() <= 1
    assert upright_size(open_header(io.BytesIO(data), "a")) == high_bytes.shape[1::-1]


def test_metadata_of_a_camera_survive_without_the_old_dimensions(tmp_path):
    exif = Image.Exif()
    exif[0x0110] = "Model"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.get_ifd(0x8769)[0xA002] = 24
    data = encoded(Image.fromarray(SMOOTH), "JPEG", exif=exif)
    for suffix in (".jpg", ".png", ".webp"):
        save_picture(decode_picture(data, "a"), tmp_path / f"a{suffix}")
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.getexif()[0x0110] == "Model"
            assert dict(image.getexif().get_ifd(0x8769)) == {0x829A: 0.01}
    deep = replace(decode_picture(data, "a"), bits=16)
    save_picture(deep, tmp_path / "deep.png")
    assert load_picture(tmp_path / "deep.png").exif is not None


@pytest.mark.parametrize("bits", [8, 16])
def test_metadata_of_a_scan_survive_and_its_layout_does_not(tmp_path, bits):
    """From a TIFF to a TIFF and to the other formats, as Pillow and OpenCV read them."""
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x8298] = "Grandmother, 1931", "Scanner", "The archive"
    exif[0x011A] = exif[0x011B] = 600.0
    exif[0x0128] = 2  # inches
    exif.get_ifd(0x8769)[0x9003] = "1931:05:01 12:00:00"
    exif.get_ifd(0x8769)[0xA002] = 24
    exif.get_ifd(0x8825)[1] = "N"
    picture = replace(decode_picture(encoded(Image.fromarray(SMOOTH), "TIFF", exif=exif.tobytes()), "a"), bits=bits)
    for suffix in (".tif", ".png", ".jpg", ".webp"):
        path = tmp_path / f"a{suffix}"
        save_picture(replace(picture, pixels=picture.pixels.repeat(1, 2, 2)), path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, that 16 bits are read as 8
            with Image.open(path) as image:
                found = image.getexif()
                details, place = (dict(found.get_ifd(tag)) for tag in (0x8769, 0x8825))
                assert image.size == (SMOOTH.shape[1] * 2, SMOOTH.shape[0] * 2)
        assert (found[0x010E], found[0x010F], found[0x8298]) == ("Grandmother, 1931", "Scanner", "The archive")
        assert (found[0x011A], found[0x0128]) == (600, 2)
        assert (details, place) == ({0x9003: "1931:05:01 12:00:00"}, {1: "N"})
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (SMOOTH.shape[0] * 2, SMOOTH.shape[1] * 2, 3)
        assert load_picture(path).exif is not None


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
def test_text_that_is_not_ascii_survives(tmp_path, kind, suffix):
    text = {0x013B: "J\u00fcrgen", 0x8298: "\u00a9 M\u00fcller"}
    tags = TiffImagePlugin.ImageFileDirectory_v2() if kind == "TIFF" else Image.Exif()
    for tag, value in text.items():
        tags[tag] = value.encode("latin-1")  # which Pillow reads, and does not write by itself
    options = {"tiffinfo": tags} if kind == "TIFF" else {"exif": tags}
    save_picture(decode_picture(encoded(Image.fromarray(SMOOTH), kind, **options), "a"), tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        found = image.getexif()
    assert {tag: found[tag] for tag in text} == text


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 7, 9, 10, 11, 12])
def test_a_tag_of_another_type_than_its_name_has_costs_no_more_than_itself(tmp_path, kind):
    value = {2: "text", 7: b"text", 5: 0.5, 10: -0.5, 11: 0.5, 12: 0.5}.get(kind, 3)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010F] = "Scanner"
    tags.tagtype[0x0131], tags[0x0131] = kind, value
    said = pytest.warns(UserWarning, match="left out: Software") if kind in (5, 10, 11, 12) else nullcontext()
    with said:
        picture = decode_picture(encoded(Image.fromarray(SMOOTH), "TIFF", tiffinfo=tags), "a")
    save_picture(picture, tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image:
        assert image.getexif()[0x010F] == "Scanner"


def test_a_tiff_does_not_point_into_the_file_that_its_metadata_are_from(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.get_ifd(0xA005)[1] = "R98"  # interoperability, which most cameras write
    save_picture(decode_picture(encoded(Image.fromarray(SMOOTH), "JPEG", exif=exif), "a"), tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image:
        assert dict(image.getexif().get_ifd(0x8769)) == {0x829A: 0.01}


@pytest.mark.parametrize("exif", [b"rubbish", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_a_tiff_is_written_although_the_metadata_are_damaged(tmp_path, exif):
    picture = replace(decode_picture(encoded(Image.fromarray(SMOOTH), "PNG"), "a"), exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_picture(picture, tmp_path / "a.tif")
    np.testing.assert_array_equal(levels(load_picture(tmp_path / "a.tif")), SMOOTH)


def test_a_photograph_of_a_telephone():
    """HEIC, turned by a quarter: red rises to the right and green downwards before, and so on."""
    pytest.importorskip("pi_heif")
    picture = decode_picture(TURNED_HEIC, "a.heic")
    rows, columns = np.mgrid[0:48, 0:64]
    wanted = np.rot90(np.stack((columns * 4, rows * 5, np.full_like(rows, 80)), axis=2), -1)
    assert levels(picture).shape == wanted.shape
    assert abs(levels(picture).astype(int) - wanted).mean() < 2
    kept = Image.Exif()
    kept.load(picture.exif)
    assert (kept[0x0112], kept[0x010F], dict(kept.get_ifd(0x8769))) == (1, "Telephone", {0x829A: 0.01})
    assert picture.icc_profile is not None
    assert upright_size(open_header(io.BytesIO(TURNED_HEIC), "a.heic")) == (48, 64)
    no_text = TURNED_HEIC.replace(b"Exif", b"\xbdxif", 1)
    for damaged in (TURNED_HEIC[:-200], no_text):
        with pytest.raises(DamagedImageError, match=r"a\.heic has a damaged header"):
            decode_picture(damaged, "a.heic")


def test_what_reads_the_photographs_of_telephones_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UnsupportedImageError, match=r"a\.heic is a HEIC photograph; pip install pi-heif"):
        decode_picture(TURNED_HEIC, "a.heic")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_no_empty_directories_are_made(kind):
    exif, kept = Image.Exif(), Image.Exif()
    exif[0x010F] = "Camera"
    kept.load(decode_picture(encoded(Image.fromarray(SMOOTH), kind, exif=exif), "a").exif)
    assert dict(kept) == {0x010F: "Camera"}


def test_broken_exif_is_left_out():
    data = encoded(Image.fromarray(SMOOTH), "JPEG", exif=b"Exif\0\0rubbish")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode_picture(data, "a").pixels.shape == (3, 16, 24)


@pytest.mark.parametrize("kind", ["GIF", "MPO", "TIFF", "WEBP"])
def test_first_frame_of_several(kind):
    frames = [Image.fromarray(np.full((4, 4, 3), value, np.uint8)) for value in (10, 200)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert levels(decode_picture(data, "a")).max() <= 12


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", EmptyImageError, r"a\.jpg is empty"),
        (b"To whom it may concern", NotAnImageError, r"a\.jpg is not an image in any of the formats"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NotAnImageError, "is a PostScript document"),
        (encoded(Image.fromarray(SMOOTH), "JPEG")[:300], DamagedImageError, r"a\.jpg"),
        (encoded(Image.fromarray(SMOOTH), "PNG")[:70], DamagedImageError, r"a\.jpg is damaged or cut short"),
        (cv2.imencode(".png", DEEP)[1].tobytes()[:150], DamagedImageError, r"a\.jpg is damaged or cut short"),
        (
            encoded(Image.fromarray(RGB.astype(np.float32)[..., 0]), "TIFF"),
            UnsupportedImageError,
            "floats from 1 to 248",
        ),
    ],
)
def test_unreadable_content(tmp_path, data, error, message):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(error, match=message):
        load_picture(tmp_path / "a.jpg")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(MissingImageError, match=r"There is no file .*a\.png"):
        load_picture(tmp_path / "a.png")
    with pytest.raises(MissingImageError, match="is a folder, an image file was wanted"):
        load_picture(tmp_path)


def test_too_large_is_refused_by_its_header():
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(TooLargeImageError, match="announces 50000 x 50000 pixels; images of up to 200 megapixels"):
        decode_picture(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT", "bomb.png")


def test_a_large_photograph_is_no_bomb_and_the_users_limit_stays():
    before = Image.MAX_IMAGE_PIXELS
    assert before < 13_000 * 12_000 < MAX_PIXELS
    data = encoded(Image.new("1", (13_000, 12_000)), "PNG")
    assert open_header(io.BytesIO(data), "a").size == (13_000, 12_000)
    assert before == Image.MAX_IMAGE_PIXELS


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_bytes_give_an_image_or_a_sentence(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF"]))
    content = bytearray(encoded(Image.fromarray(SMOOTH), kind))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = decode_picture(bytes(content[: data.draw(st.integers(0, len(content)))]), "a").pixels
        except ImageFileError:
            return
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_unknown_suffix(tmp_path):
    with pytest.raises(UnsupportedImageError, match=r"its suffix '\.xyz' is none of \.png"):
        save_picture(Picture(torch.zeros(3, 2, 2)), tmp_path / "a.xyz")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(MissingImageError, match="is a folder"):
        save_picture(Picture(torch.zeros(3, 2, 2)), tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        save_picture(Picture(torch.zeros(3, 2, 2)), tmp_path / "absent" / "a.png")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")

    def full(self, data):
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_picture(Picture(torch.zeros(3, 2, 2)), tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_finding_pictures(tmp_path):
    for name in ("b.JPG", "a.png", "c.txt", "._a.png"):
        (tmp_path / name).touch()
    (tmp_path / "d.png").mkdir()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.png", "b.JPG"]
    assert is_picture(tmp_path / "a.png")
    assert not is_picture(tmp_path / "d.png")
    with pytest.raises(MissingImageError, match="There is no folder"):
        find_pictures(tmp_path / "absent")


def test_header_is_read_without_decoding():
    data = encoded(Image.fromarray(RGB), "PNG")
    assert upright_size(open_header(io.BytesIO(data[:60]), "a")) == (7, 5)
    with pytest.raises(ImageFileError):
        decode_raster(data[:60], "a")


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_what_windows_says_of_a_picture_survives(tmp_path, kind, suffix):
    title, words = "Großmutter".encode("utf-16-le") + b"\0\0", "family".encode("utf-16-le") + b"\0\0"
    exif = Image.Exif()
    exif[0x9C9B] = exif[0x9C9C] = exif[0x9C9D] = exif[0x9C9F] = title
    exif[0x9C9E], exif[0x4746], exif[0x4749] = words, 4, 75
    save_picture(
        decode_picture(encoded(Image.fromarray(SMOOTH), kind, exif=exif.tobytes()), "a"), tmp_path / f"a{suffix}"
    )
    with Image.open(tmp_path / f"a{suffix}") as image:
        found = image.getexif()
    assert [found[tag] for tag in (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9F)] == [title] * 4
    assert (found[0x9C9E], found[0x4746], found[0x4749]) == (words, 4, 75)
