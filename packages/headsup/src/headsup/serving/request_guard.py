"""Who may ask: only pages of this server, under a name of this machine.

Any site that is open in the same browser can send requests to 127.0.0.1, and can even read the answers if its own name
is made to lead there (DNS rebinding). The first are told by their ``Origin``, the second by their ``Host``: such a
site asks under its own name, which is never an address in numbers.
"""

import ipaddress
import re
import socket
from http import HTTPStatus

from headsup.serving.limits import RefusalError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for the page: nothing from elsewhere."""

SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def own_names(host: str) -> frozenset[str]:
    """Names under which a server may be asked, beside addresses in numbers.

    Args:
        host: Where it listens.
    """
    machine = socket.gethostname().lower()
    return frozenset({"localhost", host.lower(), machine, f"{machine}.local"})


def check_request(method: str, host: str, origin: str | None, names: frozenset[str]) -> None:
    """Refuse requests that other sites make a browser send.

    Args:
        method: Of the request.
        host: Its ``Host`` header.
        origin: Its ``Origin`` header; browsers send one with everything but GET.
        names: See `own_names`.

    Raises:
        RefusalError: If it is one.
    """
    if not is_own_host(host, names):
        raise RefusalError(
            HTTPStatus.MISDIRECTED_REQUEST,
            f'This server is not called "{host}"; ask for it by the address that it printed.',
        )
    if method != "GET" and origin is not None and origin.lower() != f"http://{host.lower()}":
        raise RefusalError(HTTPStatus.FORBIDDEN, f"Pages of {origin} may not send anything here.")


def is_own_host(host: str, names: frozenset[str]) -> bool:
    """Whether the value of a ``Host`` header is an address in numbers or a name of this machine.

    Example:
        >>> [is_own_host(host, frozenset({"localhost"})) for host in ("127.0.0.1:7860", "[::1]", "localhost:1")]
        [True, True, True]
        >>> is_own_host("rebound.example:7860", frozenset({"localhost"}))
        False
    """
    match = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(:\d+)?", host)
    if match is None:
        return False
    name = match[1].lower()
    if name in names:
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
