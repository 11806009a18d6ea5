"""Image files of many kinds, each drawn from the same samples: formats, depths, colours, planes, opacity, profiles."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile

HEIGHT, WIDTH = 24, 32


class DrawnFile(NamedTuple):
    """An image file and what is in it."""

    name: str
    data: bytes
    truth: NDArray[np.float64] | None
    """RGB or RGBA in [0, 1] as drawn, in the colours of the file; None where there is no such, of CMYK and Lab."""


def drawn_samples() -> NDArray[np.float64]:
    """RGBA in [0, 1], smooth, (h, w, 4); everywhere a little opaque."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    down, across = rows / (HEIGHT - 1), columns / (WIDTH - 1)
    return np.stack([0.15 + 0.7 * across, 0.2 + 0.6 * down, 0.8 - 0.5 * across * down, 0.25 + 0.75 * down], axis=2)


def drawn_files() -> Iterator[DrawnFile]:
    """All of them."""
    yield from _png_files()
    yield from _tiff_files()
    yield from _other_files()
    yield from _coloured_files()


def quantised(values: NDArray[np.float64], bits: int) -> NDArray[np.uint16]:
    """Samples of so many bits."""
    return np.rint(values * (2**bits - 1)).astype(np.uint16)


def _truth(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """What the samples say, as RGB or RGBA."""
    exact = quantised(values, bits) / (2**bits - 1)
    return exact[..., {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[exact.shape[2]]]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples: NDArray[np.uint16], bits: int, before: bytes = b"") -> bytes:
    """PNG of samples (h, w, c), with chunks before its pixels."""
    height, width, channels = samples.shape
    flat = samples.reshape(height, -1)
    split = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(split.reshape(height, -1).astype(np.uint8), axis=1)
    pixels = zlib.compress(np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes())
    head = struct.pack(">IIBBBBB", width, height, bits, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + before
    return start + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _png_files() -> Iterator[DrawnFile]:
    drawn = drawn_samples()
    kinds = {"grey": [0], "grey, opacity": [0, 3], "RGB": [0, 1, 2], "RGB, opacity": [0, 1, 2, 3]}
    for kind, channels in kinds.items():
        for bits in (1, 2, 4, 8, 16) if kind == "grey" else (8, 16):
            values = drawn[..., channels]
            yield DrawnFile(f"PNG, {kind}, {bits} bits", png(quantised(values, bits), bits), _truth(values, bits))
    for bits in (1, 2, 4, 8, 16):
        values = drawn[..., [0]]
        samples = quantised(values, bits)
        key = int(samples[0, -1, 0])
        opaque = (samples != key).astype(np.float64)
        data = png(samples, bits, _chunk(b"tRNS", struct.pack(">H", key)))
        truth = np.concatenate([_truth(values, bits), opaque], axis=2)
        yield DrawnFile(f"PNG, grey, one transparent, {bits} bits", data, truth)


def _tiff(samples: NDArray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def _tiff_files() -> Iterator[DrawnFile]:
    drawn = drawn_samples()
    for bits in (8, 16):
        stored = quantised(drawn, bits).astype(np.uint8 if bits == 8 else np.uint16)
        grey, rgb = stored[..., 0], stored[..., :3]
        one, three = _truth(drawn[..., [0]], bits), _truth(drawn[..., :3], bits)
        end = f"{bits} bits"
        yield DrawnFile(f"TIFF, grey, {end}", _tiff(grey, photometric="minisblack"), one)
        yield DrawnFile(f"TIFF, grey, 0 is white, {end}", _tiff(grey, photometric="miniswhite"), 1 - one)
        yield DrawnFile(f"TIFF, RGB, {end}", _tiff(rgb, photometric="rgb"), three)
        apart = _tiff(rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
        yield DrawnFile(f"TIFF, RGB, plane by plane, {end}", apart, three)
        for extra, called in (("unassalpha", "opacity"), ("unspecified", "a channel more")):
            data = _tiff(stored, photometric="rgb", extrasamples=[extra])
            truth = three if extra == "unspecified" else _truth(drawn, bits)
            yield DrawnFile(f"TIFF, RGB, {called}, {end}", data, truth)
        multiplied = np.concatenate([drawn[..., :3] * drawn[..., 3:], drawn[..., 3:]], axis=2)
        samples = quantised(multiplied, bits).astype(stored.dtype)
        data = _tiff(samples, photometric="rgb", extrasamples=["assocalpha"])
        yield DrawnFile(f"TIFF, RGB, multiplied by its opacity, {end}", data, _truth(drawn, bits))
        inks = quantised(np.concatenate([1 - drawn[..., :3], 0 * drawn[..., 3:]], axis=2), bits).astype(stored.dtype)
        yield DrawnFile(f"TIFF, CMYK, {end}", _tiff(inks, photometric="separated", planarconfig="contig"), None)
        unit = 2 ** (bits - 8)
        lab = np.stack([50 + 0 * drawn[..., 0], 40 * drawn[..., 0], 30 * drawn[..., 1]], axis=2)
        lab = np.rint(lab * [(2**bits - 1) / 100, unit, unit]).astype(stored.dtype)
        yield DrawnFile(f"TIFF, Lab, {end}", _tiff(lab, photometric="cielab"), None)
    deep = (quantised(drawn[..., :3], 16).astype(np.uint32)) * 65537
    yield DrawnFile("TIFF, RGB, 32 bits", _tiff(deep, photometric="rgb"), _truth(drawn[..., :3], 16))
    yield DrawnFile("TIFF, RGB, float", _tiff(drawn[..., :3].astype(np.float32), photometric="rgb"), drawn[..., :3])


def _other_files() -> Iterator[DrawnFile]:
    drawn = drawn_samples()
    three = drawn[..., :3]
    for bits in (8, 16):
        body = quantised(three, bits).astype(np.uint8 if bits == 8 else ">u2").tobytes()
        head = f"P6\n{WIDTH} {HEIGHT}\n{2**bits - 1}\n".encode()
        yield DrawnFile(f"PPM, RGB, {bits} bits", head + body, _truth(three, bits))
    for bits in (8, 9, 12, 16):
        for called, values in (("grey", drawn[..., [0]]), ("RGB", three)):
            samples = quantised(values, bits).astype(np.uint8 if bits == 8 else np.uint16).squeeze()
            data = bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits, mct=False))
            yield DrawnFile(f"JPEG 2000, {called}, {bits} bits", data, _truth(values, bits))
    for bits in (8, 10, 12):
        samples = quantised(three, bits).astype(np.uint8 if bits == 8 else np.uint16)
        data = bytes(
            imagecodecs.avif_encode(samples, level=100, bitspersample=bits, primaries=1, transfer=13, matrix=0)
        )
        yield DrawnFile(f"AVIF, RGB, {bits} bits", data, _truth(three, bits))
    twelve = quantised(drawn[..., 0], 12)
    data = bytes(imagecodecs.jpeg8_encode(twelve, level=98, bitspersample=12))
    yield DrawnFile("JPEG, grey, 12 bits", data, _truth(drawn[..., [0]], 12))
    image = Image.fromarray(quantised(three, 8).astype(np.uint8))
    for kind, options in (("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"lossless": True}), ("BMP", {})):
        yield DrawnFile(f"{kind}, RGB, 8 bits", _saved(image, kind, **options), _truth(three, 8))


def _coloured_files() -> Iterator[DrawnFile]:
    """Colours that are not sRGB, or said another way than by a profile."""
    three = drawn_samples()[..., :3]
    samples, truth = quantised(three, 8), _truth(three, 8)
    image = Image.fromarray(samples.astype(np.uint8))
    p3 = icc_profile(PRIMARIES[12], SRGB_CURVE, False)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        yield DrawnFile(f"{kind}, profile of sRGB", _saved(image, kind, icc_profile=srgb, **options), truth)
        yield DrawnFile(f"{kind}, profile of Display P3", _saved(image, kind, icc_profile=p3, **options), truth)
    coded = png(samples, 8, _chunk(b"cICP", bytes([12, 13, 0, 1])))
    yield DrawnFile("PNG, codes of Display P3 (cICP)", coded, truth)
    linear = png(samples, 8, _chunk(b"gAMA", struct.pack(">I", 100_000)))
    yield DrawnFile("PNG, linear (gAMA)", linear, truth)
    data = bytes(imagecodecs.avif_encode(samples.astype(np.uint8), level=100, primaries=12, transfer=13, matrix=0))
    yield DrawnFile("AVIF, codes of Display P3 (nclx)", data, truth)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
