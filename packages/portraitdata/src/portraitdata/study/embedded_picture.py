"""A picture within the page itself, as a data address."""

import base64
from dataclasses import dataclass
from pathlib import Path

from faceops.images.encoding import encode_samples
from faceops.images.files import load_picture
from portraitdata.images.resampling import bicubic

QUALITY = 95
"""Of JPEG; colours are not subsampled, as WebP's always are."""


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page has it."""

    address: str
    """``data:image/...``"""
    width: int
    """In pixels of the file that it was made from, as `height`."""
    height: int


def embed_picture(path: Path, most_width: int, lossless: bool = False) -> EmbeddedPicture:
    """Encode a picture anew, from its pixels alone: what else the file holds may name the program that wrote it.

    A picture that is wider than `most_width` is reduced by MATLAB's bicubic; none is enlarged. Opacity is ignored.

    Args:
        path: Image file.
        most_width: In pixels.
        lossless: PNG instead of JPEG of quality 95 with full colour; two to three times the bytes.

    Raises:
        ImageFileError: If the file cannot be read.
    """
    pixels = load_picture(path).pixels
    height, width = pixels.shape[-2:]
    if width > most_width:
        pixels = bicubic(pixels, max(1, round(height * most_width / width)), most_width)
    samples = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    suffix, kind = (".png", "png") if lossless else (".jpg", "jpeg")
    data = encode_samples(samples, suffix, quality=QUALITY)
    return EmbeddedPicture(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", width, height)
