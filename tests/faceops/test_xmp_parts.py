"""Captions of PNG files, XMP that is longer than a segment of a JPEG, and regions of faces in it."""

import hashlib
import io
import struct
import time
import warnings
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from faceops.images.description import Description
from faceops.images.extended_xmp import EXTENSION_SEGMENT, further_packet, further_segments, split_xmp
from faceops.images.face_regions import resized_regions, turned_regions
from faceops.images.files import Picture, decode_picture, load_picture, save_picture
from faceops.images.png_texts import LONGEST_TEXT, png_texts

SMALL = Picture(torch.zeros(3, 6, 9))
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
CAPTIONS = (("Title", "日本"), ("Author", "Zoë & Jürgen"), ("Creation Time", "Sun, 29 Nov 2026"), ("Comment", "a < b"))


def captioned_png(behind: bytes = b"") -> bytes:
    """PNG with captions in all three kinds of chunks, and other texts."""
    texts = PngInfo()
    texts.add_itxt("Title", "日本", zip=True)
    texts.add_text("Author", "Zoë & Jürgen", zip=True)
    texts.add_text("Creation Time", "Sun, 29 Nov 2026")
    texts.add_text("parameters", "steps: 20")
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6)).save(buffer, "PNG", pnginfo=texts)
    end = buffer.getvalue().rindex(b"IEND") - 4
    return buffer.getvalue()[:end] + behind + buffer.getvalue()[end:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_captions_of_a_png_stay(tmp_path: Path) -> None:
    behind = chunk(b"tEXt", b"Comment\0a < b") + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    picture = decode_picture(captioned_png(behind), "a.png")
    assert picture.description == Description(b"<x/>", captions=CAPTIONS)
    for bits in (8, 16):
        save_picture(replace(picture, bits=bits), tmp_path / "a.png")
        assert load_picture(tmp_path / "a.png").description == picture.description
        with Image.open(tmp_path / "a.png") as image:
            image.load()
            assert {key: image.text[key] for key, _ in CAPTIONS} == dict(CAPTIONS)
            assert "parameters" not in image.text


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".avif"])
def test_xmp_says_what_captions_do_where_there_are_none(tmp_path: Path, suffix: str) -> None:
    picture = replace(SMALL, description=Description(captions=(*CAPTIONS, ("Copyright", "mine"))))
    with pytest.warns(UserWarning, match="Only PNG has a place for .* left out: Creation Time, Comment"):
        save_picture(picture, tmp_path / f"a{suffix}")
    told = load_picture(tmp_path / f"a{suffix}").description
    assert told.captions == ()
    root = ET.fromstring((told.xmp or b"").decode())
    found = {name: root.findtext(f".//{DC}{name}//{RDF}li") for name in ("title", "creator", "rights")}
    assert found == {"title": "日本", "creator": "Zoë & Jürgen", "rights": "mine"}
    with pytest.warns(UserWarning, match="left out: Title, Author, Creation Time, Comment, Copyright"):
        save_picture(replace(picture, description=replace(picture.description, xmp=b"<own/>")), tmp_path / f"b{suffix}")
    assert load_picture(tmp_path / f"b{suffix}").description.xmp == b"<own/>"


def test_texts_that_are_damaged_or_too_long() -> None:
    bomb = chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(LONGEST_TEXT + 1)))
    broken = chunk(b"zTXt", b"Author\0\0rubbish") + chunk(b"iTXt", b"Source\0\0\0en") + chunk(b"iTXt", b"Comment")
    good = chunk(b"tEXt", b"Warning\0hot") + chunk(b"tEXt", b"Warning\0cold")
    assert png_texts(b"\x89PNG\r\n\x1a\n" + bomb + broken + good + b"\0\0\0\x09tEXt") == {"Warning": "hot"}


LONG = (
    (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}"><rdf:Description rdf:about="" xmlns:dc="{DC[1:-1]}" '
        'xmlns:GImage="http://ns.google.com/photos/1.0/image/" GImage:Mime="image/jpeg" GImage:Data="{data}" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">'
        "<dc:title><rdf:Alt><rdf:li>Zoë</rdf:li></rdf:Alt></dc:title>"
        "<photoshop:History>{history}</photoshop:History></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    .replace("{data}", "A" * 100_000)
    .replace("{history}", "opened " * 20_000)
    .encode()
)


def properties(packet: bytes) -> dict[str, str]:
    """Properties of all descriptions, by name; of structures their text."""
    found: dict[str, str] = {}
    for description in ET.fromstring(packet.decode()).iter(f"{RDF}Description"):
        found |= {name: value for name, value in description.attrib.items() if not name.startswith(RDF)}
        found |= {element.tag: "".join(element.itertext()) for element in description}
    return found


def test_xmp_longer_than_a_segment_survives_in_jpeg(tmp_path: Path) -> None:
    described = replace(SMALL, description=Description(LONG))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_picture(described, tmp_path / "a.jpg")
        for _ in range(2):
            loaded = load_picture(tmp_path / "a.jpg")
            assert loaded.description.xmp is not None
            assert properties(loaded.description.xmp) == properties(LONG)
            save_picture(loaded, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:  # which knows the first packet only
        first = properties(image.info["xmp"])
    assert first[f"{DC}title"] == "Zoë"
    assert "{http://ns.google.com/photos/1.0/image/}Data" not in first
    name = first["{http://ns.adobe.com/xmp/note/}HasExtendedXMP"]
    with Image.open(tmp_path / "a.jpg") as image:
        segments = [content for marker, content in image.applist if marker == "APP1"]
    further = further_packet(name.encode(), segments)
    assert further is not None
    assert hashlib.md5(further).hexdigest().upper() == name
    assert sum(segment.startswith(EXTENSION_SEGMENT) for segment in segments) == 4


def test_pieces_in_another_order_and_missing_ones() -> None:
    _, further = split_xmp(LONG, 60_000)
    pieces = list(further_segments(further))
    name = pieces[0][len(EXTENSION_SEGMENT) : len(EXTENSION_SEGMENT) + 32]
    assert further_packet(name, [b"Exif\0\0", *reversed(pieces)]) == further
    assert further_packet(name.lower(), pieces) == further
    assert further_packet(name, pieces[:-1]) is None
    assert further_packet(name, pieces[1:]) is None
    assert further_packet(b"0" * 32, pieces) is None


@pytest.mark.parametrize("packet", [b"no XML", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a/>"])
def test_what_cannot_be_split(packet: bytes) -> None:
    with pytest.raises(ValueError, match="XMP"):
        split_xmp(packet, 1)


def test_many_small_properties_are_split_at_once() -> None:
    """Anybody may have written them, and a look at the whole after each would take minutes."""
    start = LONG[: LONG.index(b"<dc:title>")].replace(b"A" * 100_000, b"")
    small = b"".join(b"<dc:p%d>value</dc:p%d>" % (number, number) for number in range(8000))
    packet = start + small + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    begin = time.process_time()
    first, further = split_xmp(packet, 60_000)
    assert time.process_time() - begin < 10
    assert 50_000 < len(first) <= 60_000
    moved = properties(further)
    assert len(moved) > 4000
    assert properties(packet).items() <= (properties(first) | moved).items()


AREA = 'stArea:x="0.25" stArea:y="0.125" stArea:w="0.5" stArea:h="0.25" stArea:unit="normalized"'
REGIONS = (
    f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}"><rdf:Description '
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#">'
    '<mwg-rs:Regions><mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="300" stDim:unit="pixel"/><mwg-rs:RegionList>'
    f"<mwg-rs:Area {AREA}/></mwg-rs:RegionList></mwg-rs:Regions></rdf:Description></rdf:RDF>"
).encode()
ELEMENTS = (
    REGIONS.replace(
        b'stDim:w="400" stDim:h="300" stDim:unit="pixel"/>', b"><stDim:w>400</stDim:w><stDim:h>300</stDim:h>"
    )
    .replace(b"<mwg-rs:RegionList>", b"</mwg-rs:AppliedToDimensions><mwg-rs:RegionList>")
    .replace(
        f"<mwg-rs:Area {AREA}/>".encode(),
        b"<mwg-rs:Area><rdf:Description stArea:unit='pixel'><stArea:x>100</stArea:x><stArea:y>37.5</stArea:y>"
        b"<stArea:w>200</stArea:w><stArea:h>75</stArea:h></rdf:Description></mwg-rs:Area>",
    )
)


def area_and_sides(packet: bytes) -> tuple[list[float], list[float]]:
    """Middle and extent of the area, width and height that it is of; whether they are attributes or elements."""
    found = {}
    for element in ET.fromstring(packet.decode()).iter():
        texts = element.attrib | {element.tag: element.text or ""}
        found |= {name.split("}")[-1] + ("D" if "Dimensions#" in name else ""): text for name, text in texts.items()}
    return [float(found[name]) for name in "xywh"], [float(found[name]) for name in ("wD", "hD")]


@pytest.mark.parametrize("packet", [REGIONS, ELEMENTS], ids=["shares in attributes", "pixels in elements"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_are_turned_as_pixels_are(packet: bytes, orientation: int) -> None:
    """Of 400 x 300 pixels an area is black, and where it lies once Pillow has turned the picture is looked up."""
    drawn = Image.new("L", (400, 300), 255)
    drawn.paste(0, (0, 0, 200, 75))  # middle 100, 37.5
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", exif=exif)
    black = decode_picture(buffer.getvalue(), "a").pixels[0] == 0
    rows, columns = black.any(1).nonzero().flatten(), black.any(0).nonzero().flatten()
    top, bottom, left, right = (int(v) for v in (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1))
    (x, y, w, h), sides = area_and_sides(turned_regions(packet, orientation))
    height, width = black.shape
    assert sides == [width, height]
    unit = (1, 1) if packet is ELEMENTS else (width, height)
    assert [x * unit[0], y * unit[1]] == pytest.approx([(left + right) / 2, (top + bottom) / 2])
    assert [w * unit[0], h * unit[1]] == pytest.approx([right - left, bottom - top])


@pytest.mark.parametrize("form", [' MPReg:Rectangle="{}"/>', "><MPReg:Rectangle>{}</MPReg:Rectangle></rdf:li>"])
def test_rectangles_of_microsoft_are_turned(form: str) -> None:
    """Left, top, width and height of the upper left quarter, a little smaller, once turned clockwise: upper right."""
    start = f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}" xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"><rdf:li'
    packet = start + form + "</rdf:RDF>"
    found = turned_regions(packet.format("0, 0, 0.5, 0.25").encode(), 6)
    assert found == packet.format("0.75, 0, 0.25, 0.5").encode()
    for kept in ("nowhere", "0, 0, 1"):
        assert turned_regions(packet.format(kept).encode(), 6) == packet.format(kept).encode()


def test_regions_are_of_the_size_of_the_result(tmp_path: Path) -> None:
    assert resized_regions(REGIONS, 300, 400) == REGIONS
    assert area_and_sides(resized_regions(REGIONS, 600, 1600)) == ([0.25, 0.125, 0.5, 0.25], [1600, 600])
    assert area_and_sides(resized_regions(ELEMENTS, 600, 1600)) == ([400, 75, 800, 150], [1600, 600])
    for damaged in (REGIONS[:-3], REGIONS.replace(b'"400"', b'"wide"'), REGIONS.replace(b'"400"', b'"0"'), b"<a/>"):
        assert resized_regions(damaged, 600, 1600) == damaged
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300)).save(buffer, "JPEG", exif=exif, xmp=REGIONS)
    picture = decode_picture(buffer.getvalue(), "a.jpg")
    larger = replace(picture, pixels=picture.pixels.repeat(1, 2, 2))
    for suffix in (".jpg", ".png"):
        save_picture(larger, tmp_path / f"a{suffix}")
        told = load_picture(tmp_path / f"a{suffix}").description.xmp
        assert told is not None
        assert area_and_sides(told) == ([0.875, 0.25, 0.25, 0.5], [600, 800])
