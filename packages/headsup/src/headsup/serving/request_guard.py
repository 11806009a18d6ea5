"""Who may ask: only pages of this server, under a name of this machine.

Any site that is open in the same browser can send requests to 127.0.0.1, and can even read the answers if its own name
is made to lead there (DNS rebinding). The first are told by their ``Origin``, the second by their ``Host``: such a
site asks under its own name, which is never an address in numbers.
"""

import re
import socket
from collections.abc import Sequence, Set
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer; a browser loads nothing from elsewhere for the page."""


class RequestGuard:
    """Middleware that refuses requests which other sites make a browser send, and puts the headers above on answers.

    Args:
        app: What answers.
        host: Where the server listens.
        names: Further names by which browsers know it; under these, a proxy may have encrypted the way.
    """

    def __init__(self, app: ASGIApp, host: str, names: Sequence[str] = ()) -> None:
        machine = socket.gethostname().lower()
        self.app, self.stated = app, frozenset(name.lower() for name in names)
        self.names = self.stated | {"localhost", host.lower(), machine, f"{machine}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        answer = self.refusal(scope["method"], Headers(scope=scope)) or self.app
        await answer(scope, receive, send_guarded)

    def refusal(self, method: str, headers: Headers) -> JSONResponse | None:
        """Refusal of a request; None if it is allowed."""
        host, origin = headers.get("Host", ""), headers.get("Origin")
        if not is_own_host(host, self.names):
            sentence = (
                f'This server is not called "{host}"; ask for it by the address that it printed, or by its address in '
                "numbers, or tell it that name by --names."
            )
            return JSONResponse({"error": sentence}, HTTPStatus.MISDIRECTED_REQUEST)
        # browsers send an origin with everything but GET
        schemes = ("http", "https") if name_of(host) in self.stated else ("http",)
        own = {f"{scheme}://{host.lower()}" for scheme in schemes}
        if method != "GET" and origin is not None and origin.lower() not in own:
            return JSONResponse({"error": f"Pages of {origin} may not send anything here."}, HTTPStatus.FORBIDDEN)
        return None


def is_own_host(host: str, names: Set[str]) -> bool:
    """Tell whether the value of a ``Host`` header is an address in numbers or a name of this machine.

    Example:
        >>> [is_own_host(host, {"localhost"}) for host in ("127.0.0.1:7860", "[::1]", "localhost:1", "rebound.example")]
        [True, True, True, False]
    """
    name = name_of(host)
    return name in names or re.fullmatch(r"\[[\da-f:.]+\]|[\d.]+", name) is not None


def name_of(host: str) -> str:
    """The value of a ``Host`` header without the port, in small letters."""
    return re.sub(r":\d+$", "", host.lower())
