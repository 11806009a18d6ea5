"""Downloads that go on where they broke off; pooch itself begins again."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from faceops.atomic_files import put_in_place

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
CHUNK = 1 << 18

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there and, if the server says so, how many there will be."""


class ResumableDownload:
    """Downloader for `pooch.retrieve` that keeps what has arrived in a file of its own.

    Args:
        part: File of the bytes that have arrived; it outlives a failure.
        progress: Told after every chunk.
    """

    def __init__(self, part: Path, progress: Progress | None = None) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output: str, pooch: object) -> None:
        """Fetch `url` into `output`; OSError if the connection fails or the server refuses; the next call continues."""
        if not self._fetch(url, resume=True):
            self._fetch(url, resume=False)
        put_in_place(self.part, Path(output))

    def _fetch(self, url: str, resume: bool) -> bool:
        """Fetch what is missing; False if the server says that what is there cannot be continued."""
        there = self.part.stat().st_size if resume and self.part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                continued = response.status == http.client.PARTIAL_CONTENT
                total = announced_size(response, there)
                if continued and range_start(response) != there:
                    return False
                self._append(response, there if continued else 0, total)
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and resume:
                return there > 0 and error.headers.get("Content-Range", "") == f"bytes */{there}"
            raise
        except http.client.HTTPException as error:
            raise OSError(f"the connection broke off ({type(error).__name__})") from error
        return True

    def _append(self, response: http.client.HTTPResponse, there: int, total: int | None) -> None:
        with self.part.open("ab" if there else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                there += len(chunk)
                if self.progress is not None:
                    self.progress(there, total)
        if total is not None and there < total:
            raise OSError(f"the connection broke off after {there} of {total} bytes")


def announced_size(response: http.client.HTTPResponse, there: int) -> int | None:
    """Bytes of the whole file, if the server says."""
    if response.status == http.client.PARTIAL_CONTENT:
        found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = response.headers.get("Content-Length")
    return int(length) if length else None


def range_start(response: http.client.HTTPResponse) -> int | None:
    """First byte of a partial answer."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
