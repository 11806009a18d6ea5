"""The server of the page: Python's own, with one thread for each connection."""

import errno
import io
import json
import os
import shutil
import socket
import socketserver
import sys
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

from faceops.command_line import as_sentence
from headsup.serving.job_queue import FORGOTTEN
from headsup.serving.limits import RefusalError
from headsup.serving.request_guard import SECURITY_HEADERS, check_request, own_names
from headsup.serving.routes import Answer, Request, Site, answer
from headsup.serving.uploads import Body

MOST_DISCARDED = 2**30
"""Bytes of a refused upload that are read all the same: a browser sees an answer only when it has sent everything."""


class PageServer(ThreadingHTTPServer):
    """Listens at an address; requests are answered once `site` is set.

    Args:
        host: Where to listen.
        port: Likewise; 0 for any that is free.

    Raises:
        OSError: If that is not possible.
    """

    daemon_threads = True
    site: Site

    def __init__(self, host: str, port: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.address_family, *_, address = found[0]
            super().__init__((str(address[0]), port), PageHandler)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise OSError(
                    f"Port {port} of {host} is taken, perhaps by another headsup serve; give another one with --port."
                ) from error
            raise OSError(f"The page cannot be served at {host}, port {port}: {as_sentence(error)}") from error
        self.host, self.names = host, own_names(host)

    def server_bind(self) -> None:
        """Bind without asking for the machine's name, which takes seconds where there is no network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.server_name == "::1" or self.server_name.startswith("127.")

    @property
    def url(self) -> str:
        """Address of the page, for a browser."""
        host = socket.gethostname() if self.server_name in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class says it
        """Show what went wrong, unless the browser only went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            traceback.print_exc(file=sys.stderr)


class PageHandler(BaseHTTPRequestHandler):
    """Answers one request for each connection."""

    server: PageServer
    timeout = 30
    server_version, sys_version = "headsup", ""

    def respond(self) -> None:
        """Answer a request."""
        body = Body(self.rfile, 0)
        try:
            check_request(self.command, self.headers.get("Host", ""), self.headers.get("Origin"), self.server.names)
            body = self._body()
            parts = urlsplit(self.path)
            told = answer(self.server.site, Request(self.command, parts.path, dict(parse_qsl(parts.query)), body))
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:  # whatever is wrong is said in a sentence
            told = refused(error)
        self._send(told)
        self._discard(body)

    do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 - as the base class calls them

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the base class says it
        """Say nothing of each request."""

    def _body(self) -> Body:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdecimal()):
            raise RefusalError(HTTPStatus.LENGTH_REQUIRED, "Send the length of a file before the file.")
        return Body(self.rfile, int(length))

    def _send(self, answer: Answer) -> None:
        if isinstance(answer.content, Path):
            file: BinaryIO = answer.content.open("rb")
        else:
            file = io.BytesIO(json.dumps(answer.content, ensure_ascii=False).encode())
        with file:
            self._send_headers(answer, file.seek(0, os.SEEK_END))
            file.seek(0)
            shutil.copyfileobj(file, self.wfile)

    def _send_headers(self, answer: Answer, length: int) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.type, "Content-Length": str(length), **SECURITY_HEADERS, **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _discard(self, body: Body) -> None:
        """Read what is left of an upload, up to a bound."""
        left = min(body.left, MOST_DISCARDED)
        while left and (chunk := self.rfile.read(min(left, 2**20))):
            left -= len(chunk)


def refused(error: Exception) -> Answer:
    """What is answered where something went wrong; what should not is shown on the terminal in full."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence = (
        f"Something went wrong that should not ({type(error).__name__}); the terminal of headsup serve says more."
    )
    if isinstance(error, RefusalError):
        status, sentence = error.status, error.sentence
    elif isinstance(error, ValueError):
        status, sentence = HTTPStatus.BAD_REQUEST, str(error)
    elif isinstance(error, FileNotFoundError):
        status, sentence = HTTPStatus.NOT_FOUND, FORGOTTEN
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        status, sentence = HTTPStatus.INSUFFICIENT_STORAGE, "There is no space left for files on the serving machine."
    else:
        traceback.print_exception(error, file=sys.stderr)
    return Answer({"error": sentence}, status)
