"""Images of Pillow as files and pictures, for software that passes these around."""

from io import BytesIO

import numpy as np
import torch
from PIL import Image

from faceops.images.files import Picture

STORABLE = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes of Pillow that a PNG file has; images of others become RGB, but for the following."""

DEEP_GREY = ("I", "I;16B", "I;16L", "I;16N")
"""Modes of 16 bits, which Pillow would cut off at 255 on the way to RGB."""

TRANSPARENT = {"RGBa": "RGBA", "PA": "RGBA", "La": "LA"}
"""Modes with transparency that a PNG file has not, and what they become."""


def encoded(image: Image.Image) -> bytes:
    """PNG file of an image, with its profile and orientation.

    Raises:
        ValueError: If the values of a grey image have no known range.
    """
    buffer = BytesIO()
    storable(image).save(buffer, "png", compress_level=1, exif=image.getexif())
    return buffer.getvalue()


def storable(image: Image.Image) -> Image.Image:
    """The image in a mode that a PNG file has; `ValueError` as in `encoded`."""
    if image.mode == "F":
        raise ValueError(
            "An image of mode F does not say which number is white; convert it to L or RGB, or to I;16 with white at "
            "65535."
        )
    if image.mode in DEEP_GREY:
        return sixteen_bits(image)
    return image if image.mode in STORABLE else image.convert(TRANSPARENT.get(image.mode, "RGB"))


def sixteen_bits(image: Image.Image) -> Image.Image:
    """A deep grey image in mode I;16, with what comes along; ValueError if a value does not fit."""
    values = np.asarray(image)
    least, most = int(values.min()), int(values.max())
    if least < 0 or most > 65535:
        raise ValueError(f"An image of mode {image.mode} must have values from 0 to 65535, got {least} to {most}.")
    deep = Image.fromarray(values.astype(np.uint16))
    deep.info = image.info
    return deep


def as_image(picture: Picture) -> Image.Image:
    """A picture as Pillow's image of 8 bits, RGB or RGBA."""
    pixels = picture.pixels if picture.alpha is None else torch.cat([picture.pixels, picture.alpha.cpu()])
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
