"""Files that are sent to the page: one request for each, its body the file."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from faceops.atomic_files import replacing
from faceops.images.decoding import open_header, upright_size
from headsup.serving.limits import Limits

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "AVIF": ".avif"}
"""Suffixes of result files by the input's format as Pillow names it; PNG for formats that are only read."""

LONGEST_NAME = 60


@dataclass(frozen=True)
class Upload:
    """A picture that was sent."""

    path: Path
    width: int
    """In pixels, as a viewer shows it."""
    height: int
    suffix: str
    """Suffix of a result file in the same format."""


def announced_length(request: Request) -> int:
    """Bytes of the body of a request; HTTPException if the request does not begin with it."""
    length = request.headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in request.headers:
        raise HTTPException(HTTPStatus.LENGTH_REQUIRED, "Send the length of a file before the file.")
    return int(length)


async def receive_picture(request: Request, path: Path, limits: Limits) -> Upload:
    """Store a picture that is sent; its pixels are not decoded yet.

    Args:
        request: Its body is the file.
        path: Where to put it; the folder is made if only the last part of its path is not there.
        limits: What is taken.

    Raises:
        HTTPException: If it has too many pixels.
        ClientDisconnect: If it breaks off.
        ImageFileError: If it is no picture.
        FileNotFoundError: If what it belongs to was deleted in the meantime.
        OSError: If it cannot be stored.
    """
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            async for chunk in request.stream():
                temporary.stat()  # of what was deleted nothing more is stored
                file.write(chunk)
        return await run_in_threadpool(look_at, temporary, path, limits)


def look_at(file: Path, path: Path, limits: Limits) -> Upload:
    """Size and format of a picture from its header.

    Args:
        path: Where it is going to be.

    Raises:
        HTTPException: If it has too many pixels.
        ImageFileError: If it is no picture.
    """
    with file.open("rb") as opened:
        image = open_header(opened, path.name)
        width, height = upright_size(image)
    limits.check_pixels(path.name, width, height)
    return Upload(path, width, height, SUFFIXES.get(image.format or "", ".png"))


def safe_name(name: str) -> str:
    r"""A name that is one on any file system and no path.

    Example:
        >>> safe_name("../../etc/passwd"), safe_name("C:\\photos\\Zoë 1.jpg"), safe_name("..")
        ('passwd', 'Zoë 1.jpg', 'photograph')
    """
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w .()+,-]", "_", last)[-LONGEST_NAME:].strip(" .") or "photograph"
