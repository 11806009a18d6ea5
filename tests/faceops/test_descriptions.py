"""XMP, IPTC, the density of pixels and EXIF in every format that is written, and what becomes of what has no room."""

import io
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import ExifTags, Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from faceops.images.description import Description, upright_xmp
from faceops.images.encoding import XMP_SEGMENT
from faceops.images.errors import TooLargeImageError
from faceops.images.files import Picture, decode_picture, load_picture, save_picture

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="{turn}"{width}>'
    "<dc:title>Zoë 日本</dc:title><tiff:Orientation>{turn}</tiff:Orientation>{height}"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
KEPT_XMP = XMP.format(turn=1, width="", height="").encode()
CAPTION = "Zoë".encode()
IPTC = b"\x1c\x02\x78" + len(CAPTION).to_bytes(2, "big") + CAPTION  # record 2, data set 120: the caption
DESCRIBED = Description(KEPT_XMP, IPTC, (300.0, 240.0))
SUFFIXES = (".png", ".jpg", ".webp", ".tif", ".avif")
NO_IPTC = (".webp", ".avif")


def picture(bits: int = 8, height: int = 6, width: int = 9) -> Picture:
    return Picture(torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)), bits=bits)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_description_survives_two_trips(tmp_path: Path, suffix: str, bits: int) -> None:
    path = tmp_path / f"a{suffix}"
    wanted = replace(DESCRIBED, iptc=None) if suffix in NO_IPTC else DESCRIBED
    save_picture(replace(picture(bits), description=wanted), path)
    for _ in range(2):
        loaded = load_picture(path)
        assert loaded.description == wanted
        save_picture(loaded, path)


def test_other_software_finds_it(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"a{suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of WebP, AVIF and IPTC
            save_picture(replace(picture(), description=DESCRIBED), path)
        with Image.open(path) as image:
            image.load()
            found = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
            assert (found.encode() if isinstance(found, str) else found) == KEPT_XMP
            if suffix in (".jpg", ".tif"):
                assert IptcImagePlugin.getiptcinfo(image)[(2, 120)] == CAPTION
            if suffix in NO_IPTC:
                assert image.getexif()[ExifTags.Base.XResolution] == 300
            else:
                assert image.info["dpi"] == pytest.approx((300, 240), abs=0.01)


@pytest.mark.parametrize("kind", ["WebP", "AVIF"])
def test_iptc_without_a_place_is_left_out_with_a_warning(tmp_path: Path, kind: str) -> None:
    with pytest.warns(UserWarning, match=f"{kind} has no place for an IPTC record"):
        save_picture(replace(picture(), description=DESCRIBED), tmp_path / f"a.{kind.lower()}")


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {})],
)
def test_nothing_says_that_an_upright_picture_is_turned(tmp_path: Path, kind: str, options: dict) -> None:
    sides = {"width": ' tiff:ImageWidth="9"', "height": "<exif:PixelYDimension>6</exif:PixelYDimension>"}
    packet = XMP.format(turn=6, **sides).encode()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    if kind == "PNG":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode())
    elif kind == "TIFF":
        exif[700] = packet
    else:
        options = options | {"xmp": packet}
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6)).save(buffer, kind, exif=exif, **options)
    loaded = decode_picture(buffer.getvalue(), kind)
    assert loaded.pixels.shape == (3, 9, 6)
    assert loaded.description.xmp == KEPT_XMP
    save_picture(loaded, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[ExifTags.Base.Orientation] == 1
        assert image.info["xmp"] == KEPT_XMP


def test_only_orientation_and_sides_of_xmp_change() -> None:
    packet = b"<a tiff:Orientation = '3' exif:PixelXDimension='4'\n photoshop:Orientation='3' b='tiff:ImageWidth'/>"
    assert upright_xmp(packet) == b"<a tiff:Orientation = '1'\n photoshop:Orientation='3' b='tiff:ImageWidth'/>"


def test_density_of_a_picture_that_is_turned() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6)).save(buffer, "JPEG", exif=exif, dpi=(200, 100))
    assert decode_picture(buffer.getvalue(), "fax").description.density == (100, 200)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("sides", [(9, 6), (6, 6)])
def test_density_in_exif_of_a_picture_that_is_turned(kind: str, sides: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.ResolutionUnit] = 6, 2  # by a quarter, inches
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = 200.0, 100.0
    buffer = io.BytesIO()
    Image.new("RGB", sides).save(buffer, kind, exif=exif)
    loaded = decode_picture(buffer.getvalue(), "fax")
    assert loaded.description.density == (100, 200)
    kept = Image.Exif()
    kept.load(loaded.exif or b"")
    assert (kept[ExifTags.Base.XResolution], kept[ExifTags.Base.YResolution]) == (100, 200)


def test_nonsense_is_no_description() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6)).save(buffer, "JPEG", extra=b"\xff\xed\x00\x18Photoshop 3.0\x008BIM\x04\x04\xff\xff")
    assert decode_picture(buffer.getvalue(), "broken").description == Description()


def test_what_is_damaged_does_not_take_the_rest_with_it() -> None:
    notes = PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", "<x/>")
    notes.add_text("Raw profile type iptc", "\niptc\n 3\nno hexadecimal\n")
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6)).save(buffer, "PNG", pnginfo=notes, dpi=(300, 300))
    assert decode_picture(buffer.getvalue(), "broken").description == Description(b"<x/>", None, (300.0, 300.0))


def test_without_metadata_only_the_density_is_left(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    original = replace(picture(), exif=exif.tobytes(), description=DESCRIBED)
    captioned = replace(original, description=replace(DESCRIBED, captions=(("Author", "Zoe"), ("Title", "a title"))))
    assert replace(picture(), description=Description(captions=(("Author", "Zoe"),))).has_metadata
    for suffix in SUFFIXES:
        path = tmp_path / f"a{suffix}"
        save_picture(captioned.without_metadata(), path)
        data = path.read_bytes()
        for trace in (b"Zo", b"title", b"iptc", b"Photoshop", b"8BIM"):
            assert trace not in data
        assert load_picture(path).description == Description(density=DESCRIBED.density)


def test_the_largest_tag_of_exif_makes_room_in_jpeg(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {ExifTags.Base.MakerNote: bytes(60_000), ExifTags.Base.UserComment: b"x" * 9000}
    )
    original = replace(picture(), exif=exif.tobytes())
    with pytest.warns(UserWarning, match="64 kB of EXIF at most, so the largest tags are left out: MakerNote"):
        save_picture(original, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[ExifTags.Base.Artist] == "Zoe"
        kept = image.getexif().get_ifd(ExifTags.IFD.Exif)
    assert ExifTags.Base.MakerNote not in kept
    assert len(kept[ExifTags.Base.UserComment]) == 9000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix in (".png", ".webp", ".tif"):
            save_picture(original, tmp_path / f"a{suffix}")


@pytest.mark.parametrize("part", ["XMP", "IPTC"])
def test_what_a_segment_of_jpeg_cannot_hold(tmp_path: Path, part: str) -> None:
    long = {"XMP": Description(xmp=b"x" * (65_534 - len(XMP_SEGMENT))), "IPTC": Description(iptc=bytes(65_534))}[part]
    with pytest.warns(UserWarning, match=f"A JPEG holds 64 kB of {part} at most, so it is left out"):
        save_picture(replace(picture(), description=long), tmp_path / "a.jpg")
    assert load_picture(tmp_path / "a.jpg").description == Description()


@pytest.mark.parametrize(
    ("suffix", "limit"), [(".webp", 16_383), (".jpg", 65_500), (".JPEG", 65_500), (".avif", 32_768)]
)
def test_a_side_that_the_format_cannot_say(tmp_path: Path, suffix: str, limit: int) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(
        TooLargeImageError, match=rf"{limit + 1} x 1 pixels, but a side of .* has at most {limit}; write"
    ):
        save_picture(Picture(torch.zeros(3, 1, limit + 1)), path)
    save_picture(Picture(torch.zeros(3, 1, limit)), path)
    assert load_picture(path).pixels.shape == (3, 1, limit)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["pixels", "alpha"])
def test_a_result_that_is_not_finite_is_not_written(tmp_path: Path, value: float, place: str) -> None:
    values = {"pixels": torch.zeros(3, 2, 5), "alpha": torch.ones(1, 2, 5)}
    values[place][0, 1, 1] = value
    with pytest.raises(ValueError, match=r"a\.png is not written: \d+\.\d\d% of its values are not finite"):
        save_picture(Picture(**values), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_that_says_no_density_has_none(tmp_path: Path, bits: int) -> None:
    for _ in range(2):
        save_picture(picture(bits), tmp_path / "a.tif")
        assert load_picture(tmp_path / "a.tif").description.density is None
