"""Who reads what: inputs that Pillow or OpenCV get wrong without an error, drawn here, against the values drawn."""

import io
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from faceops.images import bands
from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.decoding import decode_raster, open_header, upright_size
from faceops.images.errors import DamagedImageError, ImageFileError, NotAnImageError, UnsupportedImageError
from faceops.images.files import Picture, decode_picture, load_picture, save_picture
from faceops.images.memory_budget import DECODING_BYTES
from faceops.images.readers import reader_of
from faceops.images.sample_layout import SampleLayout, sample_layout

RANDOM = np.random.default_rng(3)
DEEP = RANDOM.integers(0, 65536, (6, 9, 4), dtype=np.uint16)
TWELVE = DEEP[..., :3] >> 4
WIDE = RANDOM.random((6, 9, 3), dtype=np.float32)


def tiff(samples: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def png(samples: np.ndarray, bits: int, colour: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    """PNG of samples (h, w) or (h, w, c), with chunks before and behind its pixels."""
    height, width = samples.shape[:2]
    flat = samples.reshape(height, -1)
    if bits == 16:
        rows = flat.astype(">u2").view(np.uint8)
    else:
        split = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(split.reshape(height, -1).astype(np.uint8), axis=1)
    pixels = zlib.compress(np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", pixels) + behind + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def levels(picture: Picture, bits: int = 16) -> np.ndarray:
    """Pixels and, if there is any, opacity as whole numbers, (h, w, 3 or 4)."""
    parts = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha]
    return (
        np.concatenate([part.numpy() for part in parts]).transpose(1, 2, 0).__mul__(2.0**bits - 1).round().astype(int)
    )


def three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("channels", [3, 4])
def test_planes_that_are_stored_apart(channels):
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    samples = DEEP[..., :channels]
    data = tiff(samples.transpose(2, 0, 1), planarconfig="separate", photometric="rgb", **extra)
    picture = decode_picture(data, "a")
    assert (picture.bits, picture.grey) == (16, False)
    np.testing.assert_array_equal(levels(picture), samples)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_of_which_zero_is_white(bits):
    grey = DEEP[..., 0] >> (16 - bits)
    data = tiff(grey.astype(np.uint16 if bits == 16 else np.uint8), photometric="miniswhite")
    picture = decode_picture(data, "a")
    assert (picture.bits, picture.grey, picture.alpha) == (bits, True, None)
    np.testing.assert_array_equal(levels(picture, bits), three(2**bits - 1 - grey.astype(int)))


def test_colours_that_are_multiplied_by_the_opacity():
    opacity = np.array([[0, 1, 20000, 65535]], np.uint16)
    colours = np.array([[[9, 9, 9], [1, 0, 1], [20000, 10000, 5], [7, 65535, 30000]]], np.uint16)
    data = tiff(np.concatenate([colours, opacity[..., None]], 2), photometric="rgb", extrasamples=["assocalpha"])
    wanted = [[0, 0, 0, 0], [65535, 0, 65535, 1], [65535, 32768, 16, 20000], [7, 65535, 30000, 65535]]
    assert levels(decode_picture(data, "a"))[0].tolist() == wanted


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_a_channel_without_a_meaning_is_no_opacity(photometric):
    samples = DEEP if photometric == "rgb" else DEEP[..., :2]
    data = tiff(samples, photometric=photometric, planarconfig="contig", extrasamples=["unspecified"])
    picture = decode_picture(data, "a")
    assert picture.alpha is None
    wanted = DEEP[..., :3] if photometric == "rgb" else three(DEEP[..., 0])
    np.testing.assert_array_equal(levels(picture), wanted)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_grey_of_a_png_is_transparent(bits):
    grey = RANDOM.integers(0, 2**bits, (5, 11)).astype(np.uint16)
    key = int(grey[2, 3])
    picture = decode_picture(png(grey, bits, 0, chunk(b"tRNS", struct.pack(">H", key))), "a")
    full = 65535 if bits == 16 else 255
    assert (picture.grey, picture.bits) == (True, 16 if bits == 16 else 8)
    wanted = np.dstack([three(grey * (full // (2**bits - 1))), np.where(grey == key, 0, full)])
    np.testing.assert_array_equal(levels(picture, picture.bits), wanted)


def test_one_colour_of_a_deep_png_is_transparent():
    key = DEEP[1, 2, :3]
    picture = decode_picture(png(DEEP[..., :3], 16, 2, chunk(b"tRNS", key.astype(">u2").tobytes())), "a")
    opaque = (DEEP[..., :3] != key).any(axis=2)
    np.testing.assert_array_equal(levels(picture), np.dstack([DEEP[..., :3], opaque * 65535]))


def test_a_deep_animation_with_a_picture_of_its_own_before():
    """The picture that readers without animations show, as of eight bits by Pillow."""
    control = struct.pack(">IIIIIHHBB", 0, 9, 6, 0, 0, 1, 1, 0, 0)
    frame = zlib.compress(bytes(6 * (1 + 9 * 8)))
    behind = chunk(b"fcTL", control) + chunk(b"fdAT", struct.pack(">I", 1) + frame)
    data = png(DEEP, 16, 6, chunk(b"acTL", struct.pack(">II", 1, 0)), behind)
    np.testing.assert_array_equal(levels(decode_picture(data, "a")), DEEP)


@pytest.mark.parametrize("bits", [4, 9, 12, 16])
@pytest.mark.parametrize("colour", [False, True])
def test_jpeg_2000_of_any_depth(bits, colour):
    samples = (DEEP[..., :3] if colour else DEEP[..., 0]) >> (16 - bits)
    samples = samples.astype(np.uint16 if bits > 8 else np.uint8)
    data = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits, mct=False)
    picture = decode_picture(data, "a")
    assert (picture.bits, picture.grey) == (16 if bits > 8 else 8, not colour)
    whole = np.rint(samples * ((2**picture.bits - 1) / (2**bits - 1)))
    np.testing.assert_array_equal(levels(picture, picture.bits), whole if colour else three(whole))


@pytest.mark.parametrize("kind", [2, 3, 5, 6])
@pytest.mark.parametrize("largest", [1000, 65535])
def test_deep_pnm(kind, largest):
    samples = DEEP[..., : 3 if kind in (3, 6) else 1].clip(max=largest)
    body = samples.astype(">u2").tobytes() if kind > 3 else " ".join(map(str, samples.ravel())).encode()
    picture = decode_picture(f"P{kind}\n# drawn\n9 6\n{largest}\n".encode() + body, "a")
    assert (picture.bits, picture.grey) == (16, kind in (2, 5))
    wanted = np.rint(samples * (65535 / largest))
    np.testing.assert_array_equal(levels(picture), np.broadcast_to(wanted, (6, 9, 3)))


def test_a_deep_pnm_that_ends_too_early():
    with pytest.raises(DamagedImageError, match=r"a\.ppm is damaged or cut short"):
        decode_picture(b"P6 9 6 65535 " + DEEP[..., :3].tobytes()[:-1], "a.ppm")


@pytest.mark.parametrize(
    ("samples", "options", "wanted"),
    [
        (DEEP[..., :2], {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, DEEP[..., [0, 0, 0, 1]]),
        (DEEP.astype(np.uint32)[..., :3] * 65537, {"photometric": "rgb"}, DEEP[..., :3]),
        (DEEP.astype(np.uint32)[..., 0] * 65537, {"photometric": "minisblack"}, three(DEEP[..., 0])),
        (WIDE, {"photometric": "rgb"}, np.rint(WIDE * 65535)),
        (WIDE[..., 0], {"photometric": "minisblack"}, np.rint(three(WIDE[..., 0]) * 65535)),
        (WIDE.astype(np.float64), {"photometric": "rgb"}, np.rint(WIDE * 65535)),
        (
            DEEP[..., :3] >> 4,
            {"photometric": "rgb", "bitspersample": 12},
            np.rint((DEEP[..., :3] >> 4) * (65535 / 4095)),
        ),
        (DEEP[..., :3], {"photometric": "rgb", "compression": "lzw", "predictor": True}, DEEP[..., :3]),
        (DEEP[..., :3], {"photometric": "rgb", "compression": "zstd", "tile": (16, 16)}, DEEP[..., :3]),
    ],
    ids=["grey and opacity", "32 bits", "32-bit grey", "float", "float grey", "double", "12 bits", "LZW", "tiles"],
)
def test_tiff_beyond_eight_bits(samples, options, wanted):
    picture = decode_picture(tiff(samples, planarconfig="contig" if samples.ndim == 3 else None, **options), "a")
    assert picture.bits == 16
    np.testing.assert_array_equal(levels(picture), wanted)
    assert upright_size(open_header(io.BytesIO(tiff(samples, **options)), "a")) == (9, 6)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
def test_lab_becomes_srgb(bits, photometric):
    """Reference values: CSS Color 4 gives lab(54.29 80.81 69.89) for pure red; white and a grey of half the luma."""
    lab = np.array([[[54.29, 80.81, 69.89], [100, 0, 0], [53.585, 0, 0], [0, 0, 0]]])
    unit = 256 if bits == 16 else 1
    full = (65280 if photometric == "icclab" else 65535) if bits == 16 else 255
    offset = 128 if photometric == "icclab" else 0
    stored = np.rint(np.concatenate([lab[..., :1] * full / 100, (lab[..., 1:] + offset) * unit], 2)).astype(int)
    data = tiff(stored.astype(np.uint16 if bits == 16 else np.uint8), photometric=photometric)
    picture = decode_picture(data, "a")
    assert (picture.bits, picture.icc_profile) == (bits, None)
    wanted = [[255, 0, 0], [255, 255, 255], [128, 128, 128], [0, 0, 0]]
    np.testing.assert_allclose(picture.pixels[:, 0].T.numpy() * 255, wanted, atol=1 if bits == 16 else 4)


def test_deep_cmyk_becomes_srgb():
    inks = RANDOM.integers(0, 256, (6, 9, 4), dtype=np.uint8)
    picture = decode_picture(tiff(inks.astype(np.uint16) * 257, photometric="separated", planarconfig="contig"), "a")
    wanted = np.asarray(Image.frombytes("CMYK", (9, 6), inks.tobytes()).convert("RGB"))
    np.testing.assert_array_equal(levels(picture, 8), wanted)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_tiff_that_tifffile_reads_is_turned(orientation):
    data = tiff(DEEP[..., 0], photometric="miniswhite", extratags=[(274, 3, 1, orientation, True)])
    turned = np.rot90(65535 - DEEP[..., 0], {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    np.testing.assert_array_equal(levels(decode_picture(data, "a")), three(turned))


def test_jpeg_of_twelve_bits():
    smooth = np.add.outer(np.arange(16) * 60, np.arange(24) * 90).astype(np.uint16)
    picture = decode_picture(imagecodecs.jpeg8_encode(smooth, level=98, bitspersample=12), "a")
    assert (picture.bits, picture.grey) == (16, True)
    np.testing.assert_allclose(levels(picture)[..., 0] / 16, smooth, atol=12)


def test_avif_of_ten_bits():
    samples = DEEP[..., :3] >> 6
    data = imagecodecs.avif_encode(samples, level=100, bitspersample=10, primaries=1, transfer=13, matrix=0)
    picture = decode_picture(data, "a")
    assert picture.bits == 16
    np.testing.assert_array_equal(levels(picture), np.rint(samples * (65535 / 1023)))


@pytest.mark.parametrize("name", ["deep.heic", "deep_grey.heic"])
def test_heic_of_ten_bits(tmp_path, name):
    """Red rises to the right by 32 of 1023 from 5, green downwards by 40 from 3, blue is 321; grey is as red."""
    pytest.importorskip("pi_heif")
    picture = load_picture(Path(__file__).with_name(name))
    grey = name == "deep_grey.heic"
    assert (picture.bits, picture.grey, picture.alpha) == (16, grey, None)
    rows, columns = np.mgrid[0:24, 0:32]
    drawn = np.stack([columns * 32 + 5, rows * 40 + 3, np.full_like(rows, 321)], 2)
    wanted = three(drawn[..., 0]) if grey else drawn
    difference = abs(levels(picture) / 65535 * 1023 - wanted)
    assert difference.max() < 11
    assert difference.mean() < 1.5
    # no level of eight bits is near most of them
    assert (abs(levels(picture) / 257 % 1 - 0.5) < 0.3).mean() > 0.4
    for suffix in (".png", ".tif"):
        save_picture(picture, tmp_path / f"a{suffix}")
        again = load_picture(tmp_path / f"a{suffix}")
        assert again.bits == 16
        np.testing.assert_array_equal(levels(again), levels(picture))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (tiff(DEEP[..., :3].astype(np.int16), photometric="rgb"), UnsupportedImageError, "a TIFF of 16-bit signed RGB"),
        (
            tiff(WIDE * 9, photometric="rgb"),
            UnsupportedImageError,
            "holds floats from 0.* to 8.*, and those from 0 to 1",
        ),
        (tiff(WIDE * np.nan, photometric="rgb"), UnsupportedImageError, "holds floats from nan"),
        (tiff(DEEP[..., 0], photometric="cfa"), UnsupportedImageError, "a TIFF of 16-bit raw"),
        (tiff(DEEP[..., :3], photometric="rgb")[:-9], DamagedImageError, "is damaged or cut short"),
        (b"Pf\n9 6\n-1.0\n" + WIDE[..., 0].tobytes(), UnsupportedImageError, "a PPM of 32-bit float grey"),
        (b"8BPS\0\1" + bytes(60), NotAnImageError, "is a Photoshop document, which is not read"),
        (b"\xff\x0a" + bytes(60), NotAnImageError, "is a JPEG XL image"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", DamagedImageError, "a TIFF begins there, its size is missing"),
    ],
)
def test_what_nobody_reads_is_named(data, error, message):
    with pytest.raises(error, match=message):
        decode_picture(data, "a.tif")


def test_floats_a_little_outside_are_clipped_and_that_is_said():
    with pytest.warns(UserWarning, match=r"Floats from -0\.1 to 1\.2 are clipped"):
        picture = decode_picture(tiff(np.array([[-0.1, 0.5, 1.2]], np.float32)), "a")
    assert levels(picture)[0, :, 0].tolist() == [0, 32768, 65535]


def test_a_made_profile_has_the_white_that_libpng_wants():
    profile = icc_profile(PRIMARIES[12], SRGB_CURVE, False)
    assert profile[68:80] == struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)


def test_the_table():
    assert reader_of(SampleLayout("PNG", 16, "RGB")) == "OpenCV"
    assert reader_of(SampleLayout("PNG", 16, "RGB", animated=True)) == "imagecodecs"
    assert reader_of(SampleLayout("TIFF", 8, "RGB")) == "Pillow"
    assert reader_of(SampleLayout("TIFF", 8, "RGB", planes="apart")) == "tifffile"
    assert reader_of(SampleLayout("TIFF", 8, "RGB", pillow=False)) == "tifffile"
    assert reader_of(SampleLayout("TIFF", 16, "YCbCr")) is None
    data = cv2.imencode(".png", DEEP)[1].tobytes()
    assert sample_layout(open_header(io.BytesIO(data), "a"), data) == SampleLayout("PNG", 16, "RGB", extra="straight")


def test_orientation_that_only_xmp_says_turns_nothing():
    """As in browsers; EXIF's turns."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    picture = Image.fromarray(np.zeros((6, 9, 3), np.uint8))
    for kind in ("JPEG", "WEBP", "AVIF", "TIFF"):
        buffer = io.BytesIO()
        options = {"tiffinfo": {700: xmp}} if kind == "TIFF" else {"xmp": xmp}
        picture.save(buffer, kind, **options)
        assert decode_picture(buffer.getvalue(), kind).pixels.shape == (3, 6, 9), kind


PRIMARY = np.array([[[200, 60, 40], [20, 220, 90], [128, 128, 128]]], np.uint8)


def p3_of_css(values: np.ndarray) -> np.ndarray:
    """Display P3 to sRGB in levels, by the matrices of CSS Color 4."""
    light = np.where(values / 255 <= 0.04045, values / 255 / 12.92, ((values / 255 + 0.055) / 1.055) ** 2.4)
    xyz = np.array([[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]])
    srgb = np.array([[3.24097, -1.53738, -0.49861], [-0.96924, 1.87597, 0.04156], [0.05563, -0.20398, 1.05697]])
    light = (light @ (srgb @ xyz).T).clip(0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def test_colours_that_avif_says_by_codes_are_kept(tmp_path):
    data = imagecodecs.avif_encode(np.repeat(PRIMARY, 8, 0), level=100, primaries=12, transfer=13, matrix=0)
    picture = decode_picture(data, "a")
    np.testing.assert_allclose(picture.pixels[:, 0].T.numpy() * 255, p3_of_css(PRIMARY[0]), atol=1.5)
    save_picture(picture, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as written:
        assert written.info["icc_profile"] == picture.icc_profile
        in_gamut = np.asarray(written)[0, [0, 2]].astype(int)
    assert abs(in_gamut - PRIMARY[0, [0, 2]]).max() <= 1
    usual = imagecodecs.avif_encode(PRIMARY, level=100, primaries=1, transfer=13, matrix=0)
    assert decode_picture(usual, "a").icc_profile is None


def test_colours_that_png_says_by_codes_are_kept():
    coded = chunk(b"cICP", bytes([12, 13, 0, 1]))
    picture = decode_picture(png(PRIMARY, 8, 2, coded), "a")
    np.testing.assert_allclose(picture.pixels[:, 0].T.numpy() * 255, p3_of_css(PRIMARY[0]), atol=0.2)
    srgb = chunk(b"cICP", bytes([1, 13, 0, 1])) + chunk(b"gAMA", struct.pack(">I", 100_000))
    np.testing.assert_array_equal(levels(decode_picture(png(PRIMARY, 8, 2, srgb), "a"), 8), PRIMARY)


@pytest.mark.parametrize("colour", [0, 2])
def test_linear_png(colour):
    """Light of 0.5 is 188 in sRGB."""
    samples = np.full((2, 2) if colour == 0 else (2, 2, 3), 32768)
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    picture = decode_picture(png(samples, 16, colour, linear), "a")
    np.testing.assert_allclose(picture.pixels.numpy() * 255, 187.5, atol=0.1)
    assert picture.icc_profile is not None
    overruled = png(samples, 16, colour, chunk(b"sRGB", b"\0") + linear)
    np.testing.assert_allclose(decode_picture(overruled, "a").pixels.numpy(), 0.5, atol=1e-4)
    usual = png(samples, 16, colour, chunk(b"gAMA", struct.pack(">I", 45_455)))
    assert decode_picture(usual, "a").icc_profile is None


@pytest.mark.parametrize(("transfer", "called"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused(transfer, called):
    data = png(PRIMARY, 8, 2, chunk(b"cICP", bytes([9, transfer, 0, 1])))
    with pytest.raises(UnsupportedImageError, match=f"holds colours of a high dynamic range .{called}."):
        decode_picture(data, "a.png")


def table_profile(back: bytes | None) -> bytes:
    """ICC profile of an input device whose table makes Lab of RGB: L* is the mean, a* and b* are differences."""
    steps = np.linspace(0, 1, 9)
    red, green, blue = np.meshgrid(steps, steps, steps, indexing="ij")
    lab = np.stack([(red + green + blue) / 3 * 65280, 32768 + (red - green) * 8192, 32768 + (green - blue) * 8192], -1)
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"a" + bytes(80), b"A2B0": lut16(lab)}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    if back is not None:
        tags[b"B2A0"] = back
    body, table, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"test", 0x02400000, b"scnr", b"RGB ", b"Lab ").ljust(
        36, b"\0"
    )
    head = (head + b"acsp").ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def lut16(values: np.ndarray) -> bytes:
    """Table of the type mft2 with straight curves."""
    head = b"mft2\0\0\0\0" + bytes([3, 3, 9, 0]) + struct.pack(">9i", *(np.eye(3) * 65536).astype(int).ravel())
    straight = struct.pack(">2H", 0, 65535) * 3
    table = np.rint(values).clip(0, 65535).astype(">u2").tobytes()
    return head + struct.pack(">HH", 2, 2) + straight + table + straight


@pytest.mark.parametrize("back", [None, "black"])
def test_a_profile_without_a_way_back_is_applied_for_good(tmp_path, back):
    """Grey 128 is L* 50.2, which is 119 to 120 in sRGB; written so, and unmarked."""
    profile = table_profile(None if back is None else lut16(np.zeros((9, 9, 9, 3))))
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 128, np.uint8)).save(buffer, "PNG", icc_profile=profile)
    picture = decode_picture(buffer.getvalue(), "a")
    assert picture.icc_profile is None
    np.testing.assert_allclose(picture.pixels.numpy() * 255, 119.5, atol=1.1)
    save_picture(picture, tmp_path / "b.png")
    again = load_picture(tmp_path / "b.png")
    np.testing.assert_allclose(again.pixels.numpy(), picture.pixels.numpy(), atol=1e-6)


def test_damaged_deep_files_give_an_image_or_a_sentence():
    """One byte of the header after the other, of what tifffile and imagecodecs read."""
    plain = tiff(DEEP[..., :3].transpose(2, 0, 1), planarconfig="separate", photometric="rgb")
    for data in (plain, imagecodecs.jpeg2k_encode(DEEP[..., 0], level=0)):
        for position in range(0, 200, 3):
            altered = bytearray(data)
            altered[position] ^= 0x55
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    picture = decode_picture(bytes(altered), "a.tif")
                except ImageFileError:
                    continue
            assert 0 <= picture.pixels.min() <= picture.pixels.max() <= 1


@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha", "unspecified"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_grey_of_eight_bits_beside_another_channel(extra, planes):
    grey = (DEEP[..., 0] >> 8).astype(np.uint8)
    samples = np.stack([grey, np.full_like(grey, 255)], axis=0 if planes == "separate" else 2)
    data = tiff(samples, photometric="minisblack", planarconfig=planes, extrasamples=[extra])
    picture = decode_picture(data, "a")
    assert (picture.grey, picture.bits) == (True, 8)
    np.testing.assert_array_equal(levels(picture, 8)[..., :3], three(grey))
    assert picture.alpha is None if extra == "unspecified" else picture.alpha.min() == 1


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (np.uint16, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        (np.uint16, {"photometric": "cielab"}),
        (np.float32, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    ],
    ids=["associated", "Lab", "floats"],
)
def test_a_tiff_is_converted_within_the_memory_that_is_assumed(monkeypatch, dtype, options):
    monkeypatch.setattr(bands, "BAND_PIXELS", 2**14)  # in place of a larger picture
    height, width, channels = 400, 500, 4 if "extrasamples" in options else 3
    data = tiff(np.zeros((height, width, channels), dtype), **options)
    decode_raster(data, "a")  # imports
    tracemalloc.start()
    try:
        decode_raster(data, "a")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < DECODING_BYTES * height * width
