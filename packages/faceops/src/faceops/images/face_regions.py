"""Regions of faces in XMP (Metadata Working Group, Microsoft): turned with the picture, and of the result's size.

Where they are is said as stored, before any turning by EXIF, as a share of the sides or in pixels of the size that they
were made for.
"""

from xml.dom.minidom import Attr, Document, Element

from faceops.images.metadata import METADATA_ERRORS
from faceops.images.xmp_documents import field_of, parsed_xmp, set_text, text_of, xmp_bytes

REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
SIDES = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"


def turned_regions(packet: bytes, orientation: int) -> bytes:
    """The packet with its regions where they are once the picture is turned upright as EXIF tag 0x0112 says."""
    if not 2 <= orientation <= 8 or not any(name.encode() in packet for name in (REGIONS, MICROSOFT)):
        return packet
    try:
        document = parsed_xmp(packet)
        sides = sides_of(document)
        for area in document.getElementsByTagNameNS(REGIONS, "Area"):
            turn_area(area, orientation, numbers(sides) if in_pixels(area) else (1.0, 1.0))
        for field in rectangles_of(document):
            turn_rectangle(field, orientation)
        if orientation >= 5 and sides:
            width, height = (text_of(field) for field in sides)
            for field, text in zip(sides, (height, width), strict=True):
                set_text(field, text)
        return xmp_bytes(document)
    except METADATA_ERRORS:
        return packet


def resized_regions(packet: bytes, height: int, width: int) -> bytes:
    """The packet with the size that its regions are of, and those in pixels as many times as large."""
    if REGIONS.encode() not in packet:
        return packet
    try:
        document = parsed_xmp(packet)
        sides = sides_of(document)
        before = numbers(sides)
        if before in ((), (width, height)):
            return packet
        across, down = width / before[0], height / before[1]
        for area in filter(in_pixels, document.getElementsByTagNameNS(REGIONS, "Area")):
            for name, factor in (("x", across), ("w", across), ("y", down), ("h", down)):
                scale_field(area, name, factor)
        for field, pixels in zip(sides, (width, height), strict=True):
            set_text(field, str(pixels))
        return xmp_bytes(document)
    except METADATA_ERRORS:
        return packet


def sides_of(document: Document) -> tuple[Attr | Element, ...]:
    """Fields of the width and height that regions are of; none if they are not said."""
    for element in document.getElementsByTagNameNS(REGIONS, "AppliedToDimensions"):
        width, height = field_of(element, SIDES, "w"), field_of(element, SIDES, "h")
        if width is not None and height is not None:
            return width, height
    return ()


def numbers(fields: tuple[Attr | Element, ...]) -> tuple[float, ...]:
    """Values of fields."""
    return tuple(float(text_of(field)) for field in fields)


def in_pixels(area: Element) -> bool:
    """Tell whether an area is in pixels, not in shares of the sides."""
    unit = field_of(area, AREA, "unit")
    return unit is not None and text_of(unit).strip() == "pixel"


def turn_area(area: Element, orientation: int, sides: tuple[float, ...]) -> None:
    """Turn an area, of which x and y are the middle.

    Args:
        sides: Width and height of the picture before, in the unit of the area.
    """
    fields = [field_of(area, AREA, name) for name in "xywh"]
    x, y, w, h = (0.0 if field is None else float(text_of(field)) for field in fields)  # a point has no extent
    for field, value in zip(fields, turned((x, y, w, h), orientation, sides), strict=True):
        if field is not None:
            set_text(field, f"{value:.6g}")


def turn_rectangle(field: Attr | Element, orientation: int) -> None:
    """Turn a rectangle of Microsoft: left, top, width and height as shares of the sides."""
    left, top, w, h = (float(number) for number in text_of(field).split(","))
    x, y, w, h = turned((left + w / 2, top + h / 2, w, h), orientation, (1.0, 1.0))
    set_text(field, ", ".join(f"{number:.6g}" for number in (x - w / 2, y - h / 2, w, h)))


def turned(
    area: tuple[float, float, float, float], orientation: int, sides: tuple[float, ...]
) -> tuple[float, float, float, float]:
    """Middle and extent of an area once `faceops.images.decoding.upright` has turned the pixels.

    Example:
        >>> turned((0.25, 0.125, 0.5, 0.25), 6, (1.0, 1.0))
        (0.875, 0.25, 0.25, 0.5)
    """
    (x, y, w, h), (width, height) = area, sides
    if orientation >= 5:
        x, y, w, h, width, height = y, x, h, w, height, width
    if orientation in (2, 3, 6, 7):
        x = width - x
    if orientation in (3, 4, 7, 8):
        y = height - y
    return x, y, w, h


def rectangles_of(document: Document) -> list[Attr | Element]:
    """Fields of the rectangles of Microsoft."""
    found: list[Attr | Element] = []
    for element in document.getElementsByTagName("*"):
        attribute = element.getAttributeNodeNS(MICROSOFT, "Rectangle")
        found += [] if attribute is None else [attribute]
        found += [element] if (element.namespaceURI, element.localName) == (MICROSOFT, "Rectangle") else []
    return found


def scale_field(area: Element, name: str, factor: float) -> None:
    """Multiply a field of an area."""
    field = field_of(area, AREA, name)
    if field is not None:
        set_text(field, f"{float(text_of(field)) * factor:.6g}")
