"""Formats that are told by their first bytes and not read, so that a refusal can name what a file is."""

FOREIGN = (
    (b"8BPS", "a Photoshop document"),
    (b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"#?RGBE", "a Radiance HDR image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\xff\xd8\xff\xf7", "a JPEG-LS image"),
    (b"II\xbc\x01", "a JPEG XR image"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"\0\0\0\x18ftypcrx ", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"\0\0\x01\0", "an icon"),
    (b"P7\n", "a PAM image"),
    (b"PF\n", "a float image (PFM)"),
    (b"qoif", "a QOI image"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document, an SVG drawing perhaps"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"SIMPLE  =", "a FITS image"),
)
"""First bytes, and what such a file is."""


def foreign_format(start: bytes) -> str | None:
    """What a file is, from its first bytes; None if it is none of `FOREIGN`.

    Example:
        >>> foreign_format(b"8BPS and more"), foreign_format(b"To whom")
        ('a Photoshop document', None)
    """
    if start[4:8] == b"ftyp" and start[8:12] in (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"M4V "):
        return "a video"
    return next((what for begin, what in FOREIGN if start.startswith(begin)), None)
