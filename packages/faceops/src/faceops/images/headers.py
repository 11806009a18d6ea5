"""Headers that Pillow refuses, of images that other readers decode: its plug-ins, without their refusal."""

import io

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import ICCPROFILE, IMAGELENGTH, IMAGEWIDTH, TiffImageFile

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATIONS = range(1, 9)
"""Orientations that EXIF has."""

TURNED = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


BOX_ORIENTATION = "box_orientation"
"""What `AnyAvif` notes down the orientation as that the boxes of its file say, which outranks EXIF's."""


class AnyTiff(TiffImageFile):
    """TIFF of any samples; its tags can be read, and Pillow cannot decode it."""

    def _setup(self) -> None:
        try:
            super()._setup()
        except (SyntaxError, LookupError, ValueError, OSError):
            width, height = self.tag_v2.get(IMAGEWIDTH), self.tag_v2.get(IMAGELENGTH)
            if not isinstance(width, int) or not isinstance(height, int):
                raise
            turned = self.tag_v2.get(0x0112) in TURNED
            self._size = (height, width) if turned else (width, height)
            self._mode, self.tile = "RGB", []
            if ICCPROFILE in self.tag_v2:
                self.info["icc_profile"] = self.tag_v2[ICCPROFILE]


class AnyJpeg(JpegImageFile):
    """JPEG of more than eight bits; the markers before its frame can be read."""

    def _open(self) -> None:
        try:
            super()._open()
        except SyntaxError:
            if getattr(self, "bits", 8) == 8:
                raise
            self._mode, self.tile = "L" if self._components() == 1 else "RGB", []
            profile = b"".join(part[14:] for part in sorted(self.icclist))
            if profile:
                self.info["icc_profile"] = profile

    def _components(self) -> int:
        """Components that the frame's header announces, which has been read last."""
        assert self.fp is not None
        end = self.fp.tell()
        for count in (1, 3, 4):
            self.fp.seek(end - 6 - 3 * count)
            frame = self.fp.read(6)
            if frame[0] == self.bits and frame[5] == count:
                return count
        return 0


class AnyAvif(AvifImageFile):
    """AVIF whose EXIF Pillow cannot write anew with the orientation that a box says."""

    def _open(self) -> None:
        try:
            super()._open()
        except Exception:  # whatever an odd tag gives when it is written
            if not hasattr(self, "_decoder"):
                raise
            *_, exif, self.info[BOX_ORIENTATION], _ = self._decoder.get_info()
            self.info["exif"] = exif
            self.seek(0)


def open_unusual(file: io.BytesIO | io.BufferedReader) -> ImageFile | None:
    """Open a TIFF, JPEG or AVIF that Pillow has refused; None if it is none of these or damaged."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    plugin: type[AnyTiff | AnyJpeg | AnyAvif] | None = None
    if start[:4] in TIFF_MAGIC:
        plugin = AnyTiff
    elif start.startswith(b"\xff\xd8\xff"):
        plugin = AnyJpeg
    elif start[4:] == b"ftypavif":
        plugin = AnyAvif
    try:
        return None if plugin is None else plugin(file)
    except (SyntaxError, TypeError, OSError, ValueError):
        return None


def read_own_exif(image: ImageFile) -> None:
    """Have Pillow read the EXIF of a TIFF, by which it turns the image, without the orientation that XMP says."""
    xmp = image.info.pop("xmp", None)
    image.getexif()
    if xmp is not None:
        image.info["xmp"] = xmp


def own_exif(image: Image.Image) -> Image.Exif:
    """EXIF block of a file alone; Pillow adds the orientation that XMP says, by which no browser turns an image."""
    exif = Image.Exif()
    if image.info.get("exif"):
        exif.load(image.info["exif"])
    return exif
