"""The address at which the page is served, and uvicorn behind it."""

import errno
import socket

from uvicorn import Config, Server

from faceops.command_line import as_sentence
from headsup.serving.routes import Site


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address; who asks waits until a server answers.

    Args:
        host: Where to listen.
        port: Likewise; 0 for any that is free.

    Raises:
        OSError: If that is not possible.
    """
    try:
        if port not in range(2**16):
            raise OSError("ports go from 0 to 65535.")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        return socket.create_server((str(address[0]), port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f"Port {port} of {host} is taken, perhaps by another headsup serve; give another one with --port."
            ) from error
        raise OSError(f"The page cannot be served at {host}, port {port}: {as_sentence(error)}") from error


def is_local(listener: socket.socket) -> bool:
    """Tell whether only this machine reaches a socket."""
    address = str(listener.getsockname()[0])
    return address == "::1" or address.startswith("127.")


def page_url(host: str, listener: socket.socket) -> str:
    """Address of the page, for a browser, where a socket listens at a host."""
    address, port, *_ = listener.getsockname()
    name = socket.gethostname() if address in ("0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def build_server(site: Site, host: str) -> Server:
    """A server that says nothing on the terminal; to be run with the sockets that listen at a host."""
    return Server(
        Config(
            site.app(host),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            server_header=False,
            headers=[("Server", "headsup")],
            timeout_graceful_shutdown=1,
        )
    )
