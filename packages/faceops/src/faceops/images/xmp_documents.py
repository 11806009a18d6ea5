"""XMP packets as XML documents, for what is to be found in them whatever prefixes and forms a program writes."""

from xml.dom.minidom import Attr, Document, Element, Node, parseString
from xml.parsers.expat import ExpatError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LONGEST_XMP = 2**24
"""Bytes of a packet that is looked into; a document takes twenty times as many. Depth maps stay below."""

XMLNS = "http://www.w3.org/2000/xmlns/"


def parsed_xmp(packet: bytes) -> Document:
    """The document of a packet.

    Raises:
        ValueError: If it is no XML, longer than `LONGEST_XMP`, or declares entities, which no XMP needs and which can
            grow without end.
    """
    if len(packet) > LONGEST_XMP:
        raise ValueError(f"XMP of {len(packet)} bytes is not read, but of {LONGEST_XMP}")
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise ValueError("XMP that declares a document type is not read")
    try:
        return parseString(packet.strip(b"\0 \t\r\n"))
    except ExpatError as error:
        raise ValueError(f"the XMP is no XML: {error}") from error


def xmp_bytes(document: Document) -> bytes:
    """Packet of a document, in UTF-8."""
    return "".join(node.toxml() for node in document.childNodes).encode()


def root_of(document: Document) -> Element:
    """The element rdf:RDF.

    Raises:
        ValueError: If there is none.
    """
    found = document.getElementsByTagNameNS(RDF, "RDF")
    if not found:
        raise ValueError("the XMP has no rdf:RDF")
    return found[0]


def descriptions_of(document: Document) -> list[Element]:
    """The elements rdf:Description that hold the properties.

    Raises:
        ValueError: If there is none.
    """
    children = root_of(document).childNodes
    found = [node for node in children if isinstance(node, Element) and node.localName == "Description"]
    if not found:
        raise ValueError("the XMP describes nothing")
    return found


def declared_prefixes(element: Element) -> dict[str, str]:
    """Prefixes that an element and those around it declare, as ``xmlns:dc``, with their namespaces."""
    found: dict[str, str] = {}
    node: Node | None = element
    while isinstance(node, Element):
        for name, value in node.attributes.items():
            if name.startswith("xmlns:"):
                found.setdefault(name, value)
        node = node.parentNode
    return found


def field_of(element: Element, namespace: str, name: str) -> Attr | Element | None:
    """A field of a structure, which may be an attribute or an element, of itself or of a description in it."""
    for holder in (element, *element.getElementsByTagNameNS(RDF, "Description")):
        attribute = holder.getAttributeNodeNS(namespace, name)
        if attribute is not None:
            return attribute
    found = element.getElementsByTagNameNS(namespace, name)
    return found[0] if found else None


def text_of(field: Attr | Element) -> str:
    """Value of a field."""
    return field.value if isinstance(field, Attr) else "".join(node.nodeValue or "" for node in field.childNodes)


def set_text(field: Attr | Element, text: str) -> None:
    """Give a field another value."""
    if isinstance(field, Attr):
        field.value = text
        return
    for node in list(field.childNodes):
        field.removeChild(node)
    assert field.ownerDocument is not None
    field.appendChild(field.ownerDocument.createTextNode(text))
