"""Texts of PNG files: captions under the keywords of the format, and packets of other standards under theirs."""

import zlib
from contextlib import suppress
from xml.sax.saxutils import escape

from faceops.images.sample_layout import png_chunks

Captions = tuple[tuple[str, str], ...]
"""Keywords, of `KEYWORDS`, and their texts."""

KEYWORDS = (
    *("Title", "Author", "Description", "Copyright", "Creation Time"),
    *("Software", "Disclaimer", "Warning", "Source", "Comment"),
)
"""Those that the format has words for (PNG, 11.3.3.2); others are of programs, and about the file."""

LONGEST_TEXT = 2**24
"""Bytes of a text that is compressed; more is no caption."""

XMP_PROPERTIES = {
    "Title": "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt></dc:title>",
    "Author": "<dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>",
    "Description": "<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt></dc:description>",
    "Copyright": "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt></dc:rights>",
    "Source": "<dc:source>{}</dc:source>",
    "Software": "<xmp:CreatorTool>{}</xmp:CreatorTool>",
}
"""Properties of XMP that say the same."""

XMP_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">{}</rdf:Description>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def png_texts(data: bytes) -> dict[str, str]:
    """Texts of a PNG by their keywords, before and behind its pixels; damaged ones are left out, the first counts."""
    texts: dict[str, str] = {}
    for kind, content in png_chunks(data, behind_pixels=True):
        found = text_of(kind, content)
        if found is not None:
            texts.setdefault(*found)
    return texts


def text_of(kind: bytes, content: bytes) -> tuple[str, str] | None:
    """Keyword and text of a chunk; None if it holds none, or it is damaged."""
    keyword, separator, rest = content.partition(b"\0")
    if not separator:
        return None
    with suppress(ValueError, zlib.error):
        if kind == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if kind == b"zTXt":
            return keyword.decode("latin-1"), _inflated(rest[1:]).decode("latin-1")
        if kind == b"iTXt":
            _language, _translated, text = rest[2:].split(b"\0", 2)
            return keyword.decode("latin-1"), (_inflated(text) if rest[0] else text).decode()
    return None


def raw_profile(text: str) -> bytes:
    r"""Bytes that a text holds in hexadecimal, after ImageMagick's custom: behind a name and their number.

    Raises:
        ValueError: If it does not.

    Example:
        >>> raw_profile("\niptc\n       2\n1c02\n")
        b'\x1c\x02'
    """
    _, _, _, *digits = text.split("\n")
    return bytes.fromhex("".join(digits))


def captions_among(texts: dict[str, str]) -> Captions:
    """Captions among the texts of a PNG, in the order of `KEYWORDS`.

    Example:
        >>> captions_among({"parameters": "steps", "Author": "Zoë", "Title": "Lake"})
        (('Title', 'Lake'), ('Author', 'Zoë'))
    """
    return tuple((keyword, texts[keyword]) for keyword in KEYWORDS if texts.get(keyword))


def caption_chunk(keyword: str, text: str) -> tuple[bytes, bytes]:
    r"""Kind and content of the chunk of a caption: Latin-1 where that has all its characters, which all readers know.

    Example:
        >>> caption_chunk("Author", "Zoë"), caption_chunk("Title", "日")
        ((b'tEXt', b'Author\x00Zo\xeb'), (b'iTXt', b'Title\x00\x00\x00\x00\x00\xe6\x97\xa5'))
    """
    start = keyword.encode("latin-1") + b"\0"
    try:
        return b"tEXt", start + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", start + b"\0\0\0\0" + text.encode(errors="replace")


def xmp_of_captions(captions: Captions) -> tuple[bytes | None, list[str]]:
    """XMP packet that says what captions say, for formats without captions, and the keywords that it has no words for.

    Returns:
        The packet, None if there is nothing to say; the keywords.
    """
    said = [(keyword, text) for keyword, text in captions if keyword in XMP_PROPERTIES]
    left = [keyword for keyword, _ in captions if keyword not in XMP_PROPERTIES]
    if not said:
        return None, left
    properties = (XMP_PROPERTIES[keyword].format(escape(_without_controls(text))) for keyword, text in said)
    return XMP_PACKET.format("".join(properties)).encode(errors="replace"), left


def _without_controls(text: str) -> str:
    """A text without the control characters that XML cannot have."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")


def _inflated(stored: bytes) -> bytes:
    """Text that is stored compressed.

    Raises:
        ValueError: If it is longer than `LONGEST_TEXT`.
    """
    decoder = zlib.decompressobj()
    text = decoder.decompress(stored, LONGEST_TEXT)
    if decoder.unconsumed_tail:
        raise ValueError(f"it has more than {LONGEST_TEXT} bytes")
    return text
