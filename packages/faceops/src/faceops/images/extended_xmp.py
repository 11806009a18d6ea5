"""XMP of JPEG files that is longer than a segment: its largest properties in further ones (XMP, part 3, 1.1.3.1)."""

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from xml.dom.minidom import Attr, Document, Element, Node

from faceops.images.xmp_documents import (
    LONGEST_XMP,
    RDF,
    XMLNS,
    declared_prefixes,
    descriptions_of,
    parsed_xmp,
    root_of,
    xmp_bytes,
)

EXTENSION_SEGMENT = b"http://ns.adobe.com/xmp/extension/\0"
"""What the segments of a JPEG begin with that hold more of the XMP."""

NOTE = "http://ns.adobe.com/xmp/note/"
POINTER = "HasExtendedXMP"
NAMED = re.compile(POINTER.encode() + rb"(?:\s*=\s*[\"']|\s*>)\s*([0-9A-Fa-f]{32})")
"""The name of the further packet, as an attribute or an element."""

HEAD = struct.Struct(">32sII")
"""Before each piece: the name, the length of the whole and where the piece begins in it."""

PIECE = 65_400
POINTER_ROOM = 200
"""Bytes that the name of a further packet takes in the first, with its namespace, and more."""

EMPTY = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)


def whole_xmp(packet: bytes, segments: Sequence[bytes]) -> bytes:
    """A packet with what further segments hold of it; the packet alone where these are missing or damaged.

    Args:
        packet: The packet that names the further one.
        segments: Contents of the segments APP1 of the file.
    """
    named = NAMED.search(packet)
    further = None if named is None else further_packet(named[1], segments)
    if further is None:
        return packet
    try:
        document, added = parsed_xmp(packet), parsed_xmp(further)
        for description in descriptions_of(document):
            drop_pointer(description)
        root = root_of(document)
        for description in descriptions_of(added):
            copied = document.importNode(description, True)
            declare(copied, declared_prefixes(description))
            root.appendChild(copied)
        return xmp_bytes(document)
    except (ValueError, RecursionError):
        return packet


def further_packet(name: bytes, segments: Sequence[bytes]) -> bytes | None:
    """The packet of a name, put together from its pieces; None if one is missing."""
    pieces: dict[int, bytes] = {}
    length, start = 0, len(EXTENSION_SEGMENT)
    for segment in segments:
        if segment.startswith(EXTENSION_SEGMENT) and len(segment) >= start + HEAD.size:
            found, length_said, place = HEAD.unpack_from(segment, start)
            if found.lower() == name.lower():
                length, pieces[place] = length_said, segment[start + HEAD.size :]
    joined = b"".join(piece for _, piece in sorted(pieces.items()))
    places = [place for place, _ in sorted(pieces.items())]
    ends = [0, *(place + len(pieces[place]) for place in places)]
    return joined if 0 < length <= LONGEST_XMP and places == ends[:-1] and ends[-1] == length else None


def split_xmp(packet: bytes, room: int) -> tuple[bytes, bytes]:
    """Take the largest properties out of a packet.

    Args:
        packet: What is longer.
        room: Bytes that the first packet may have.

    Returns:
        The first packet, which names the further one, and that.

    Raises:
        ValueError: If it is no XMP, or no property is large enough to make room.
    """
    document, added = parsed_xmp(packet), parsed_xmp(EMPTY)
    descriptions, (target,) = descriptions_of(document), descriptions_of(added)
    for description in descriptions:
        declare(target, declared_prefixes(description))
    document.normalize()
    excess = len(xmp_bytes(document)) + POINTER_ROOM - room
    sizes = [(len(serialised(node).encode()), node) for node in properties_of(descriptions)]
    for size, largest in sorted(sizes, key=lambda each: each[0], reverse=True):
        if excess <= 0:
            break
        move(largest, target)
        excess -= size
    further = xmp_bytes(added)
    name = hashlib.md5(further, usedforsecurity=False).hexdigest().upper()
    descriptions[0].setAttributeNS(XMLNS, "xmlns:xmpNote", NOTE)
    descriptions[0].setAttributeNS(NOTE, f"xmpNote:{POINTER}", name)
    first = xmp_bytes(document)
    if len(first) > room:
        raise ValueError(f"{len(first)} bytes of XMP are left without any property, and {room} are room for")
    return first, further


def further_segments(further: bytes) -> Iterator[bytes]:
    """Contents of the segments of a further packet."""
    name = hashlib.md5(further, usedforsecurity=False).hexdigest().upper().encode()
    for place in range(0, len(further), PIECE):
        yield EXTENSION_SEGMENT + HEAD.pack(name, len(further), place) + further[place : place + PIECE]


def properties_of(descriptions: Sequence[Element]) -> list[Attr | Element]:
    """Properties, as attributes and as elements."""
    found: list[Attr | Element] = []
    for description in descriptions:
        attributes = [description.attributes.item(number) for number in range(description.attributes.length)]
        found += [node for node in attributes if isinstance(node, Attr) and node.namespaceURI not in (XMLNS, RDF)]
        found += [node for node in description.childNodes if isinstance(node, Element)]
    return found


def serialised(node: Node) -> str:
    """Text that a property takes."""
    return node.value if isinstance(node, Attr) else node.toxml()


def move(node: Attr | Element, target: Element) -> None:
    """Move a property to another description, of another document."""
    if isinstance(node, Attr):
        target.setAttributeNS(node.namespaceURI, node.name, node.value)
        assert node.ownerElement is not None
        node.ownerElement.removeAttributeNode(node)
        return
    assert node.parentNode is not None
    node.parentNode.removeChild(node)
    owner = target.ownerDocument
    assert isinstance(owner, Document)
    target.appendChild(owner.importNode(node, True))


def declare(element: Element, prefixes: dict[str, str]) -> None:
    """Declare prefixes on an element.

    Raises:
        ValueError: If one stands for another namespace there.
    """
    for name, namespace in prefixes.items():
        there = declared_prefixes(element).get(name)
        if there not in (None, namespace):
            raise ValueError(f"the prefix {name} stands for two namespaces")
        if there is None:
            element.setAttributeNS(XMLNS, name, namespace)


def drop_pointer(description: Element) -> None:
    """Remove the name of a further packet."""
    attribute = description.getAttributeNodeNS(NOTE, POINTER)
    if attribute is not None:
        description.removeAttributeNode(attribute)
    for element in description.getElementsByTagNameNS(NOTE, POINTER):
        description.removeChild(element)
