"""Files that are sent to the page: one request for each, its body the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path

from faceops.atomic_files import replacing
from faceops.images.decoding import open_header, upright_size
from headsup.serving.limits import Limits, RefusalError

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "TIFF": ".tif"}
"""How files of results end, by the format that Pillow sees in the input; PNG for the others, which are only read."""

CHUNK = 2**20
LONGEST_NAME = 60


@dataclass(frozen=True)
class Upload:
    """A picture that was sent."""

    path: Path
    width: int
    """In pixels, as a viewer shows it."""
    height: int
    suffix: str
    """How the file of a result in the same format ends."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name


class Body:
    """What a request carries, as far as it has not been read.

    Args:
        stream: Where it comes from.
        length: Bytes that were announced.
    """

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self.stream, self.length, self.left = stream, length, length

    def chunks(self) -> Iterator[bytes]:
        """What is left, in pieces.

        Raises:
            RefusalError: If less comes than was announced.
        """
        while self.left:
            chunk = self.stream.read(min(CHUNK, self.left))
            if not chunk:
                raise RefusalError(HTTPStatus.BAD_REQUEST, "The file broke off on its way; send it again.")
            self.left -= len(chunk)
            yield chunk


def receive_picture(body: Body, folder: Path, name: str, limits: Limits) -> Upload:
    """Store a picture that is sent; its pixels are not decoded yet.

    Args:
        body: Bytes of the file.
        folder: Where to put it; made if only the last part of its path is not there.
        name: What the sender calls it.
        limits: What is taken.

    Raises:
        RefusalError: If it is too large or breaks off.
        ImageFileError: If it is no picture.
        FileNotFoundError: If what it belongs to was forgotten in the meantime.
        OSError: If it cannot be stored.
    """
    name = safe_name(name)
    limits.check_length(name, body.length)
    path = folder / name
    folder.mkdir(exist_ok=True)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            for chunk in body.chunks():
                file.write(chunk)
        with temporary.open("rb") as file:
            image = open_header(file, name)
            width, height = upright_size(image)
        limits.check_pixels(name, width, height)
    return Upload(path, width, height, SUFFIXES.get(image.format or "", ".png"))


def safe_name(name: str) -> str:
    r"""A name that is one on any file system and no path.

    Example:
        >>> safe_name("../../etc/passwd"), safe_name("C:\\photos\\Zoë 1.jpg"), safe_name("..")
        ('passwd', 'Zoë 1.jpg', 'photograph')
    """
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w .()+,-]", "_", last)[-LONGEST_NAME:].strip(" .") or "photograph"
