"""Errors of image files; every one is a sentence that names the file."""

import struct
import zlib

DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError, struct.error, zlib.error)
"""Errors of Pillow's decoders on damaged data, and of that for HEIC."""


class ImageFileError(ValueError):
    """An image file that cannot be read or written."""


class MissingImageError(ImageFileError):
    """No file, or a folder, where an image was wanted."""


class EmptyImageError(ImageFileError):
    """A file of zero bytes."""


class NotAnImageError(ImageFileError):
    """A file whose content is no image, whatever its name says."""


class DamagedImageError(ImageFileError):
    """An image that ends too early or whose data are inconsistent."""


class TooLargeImageError(ImageFileError):
    """An image whose header announces more pixels than anyone wants to decode."""


class UnsupportedImageError(ImageFileError):
    """An image of a pixel kind, or a file name of a format, that is not handled."""
