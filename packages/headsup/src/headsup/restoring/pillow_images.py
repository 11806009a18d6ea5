"""Images of Pillow as files and pictures, for software that passes these around."""

from io import BytesIO

import torch
from PIL import Image

from faceops.images.files import Picture

STORABLE = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes of Pillow that a PNG file has; images of others become RGB."""


def encoded(image: Image.Image) -> bytes:
    """PNG file of an image, with its profile and orientation."""
    buffer = BytesIO()
    stored = image if image.mode in STORABLE else image.convert("RGB")
    stored.save(buffer, "png", compress_level=1, exif=image.getexif())
    return buffer.getvalue()


def as_image(picture: Picture) -> Image.Image:
    """A picture as Pillow's image of 8 bits, RGB or RGBA."""
    pixels = picture.pixels if picture.alpha is None else torch.cat([picture.pixels, picture.alpha.cpu()])
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
