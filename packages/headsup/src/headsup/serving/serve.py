"""``headsup serve``: load a restorer, serve the page, and leave nothing behind."""

import errno
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from uvicorn import Config, Server

from faceops.detection.selection import build_detector
from faceops.error_sentences import as_sentence
from faceops.progress.display import shown
from faceops.progress.verbosity import say
from headsup.command_options import ServeOptions
from headsup.restoring.files import RestorerSource
from headsup.restoring.references.face_recognition import load_recognition
from headsup.serving.job_queue import JobQueue
from headsup.serving.left_behind import folder_prefix, remove_left_behind
from headsup.serving.limits import Limits
from headsup.serving.preview import Preview
from headsup.serving.restoration import PhotoRestoration
from headsup.serving.restorers import OfferedWeights, Restorers, offered_weights
from headsup.serving.routes import Site
from headsup.serving.slow_clients import ImpatientProtocol

BACKLOG = 1024
"""Connections that wait to be accepted, before others are reset."""
CONNECTIONS = 500
"""Connections at a time, of the some thousand files that a process may open."""


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
        return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)
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


def build_server(site: Site, host: str, names: Sequence[str] = ()) -> Server:
    """A server that says nothing on the terminal, for sockets that listen at a host, see `RequestGuard`."""
    return Server(
        Config(
            site.app(host, names),
            http=ImpatientProtocol,
            backlog=BACKLOG,
            limit_concurrency=CONNECTIONS,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            server_header=False,
            headers=[("Server", "headsup")],
            timeout_graceful_shutdown=1,
        )
    )


OPEN_TO_ALL = (
    "With --host {host}, everybody who reaches this machine over the network can use the page, without a password, and "
    "photographs travel to it unencrypted."
)
NOT_COMPARED = (
    "References are not compared with faces, since no network tells people apart: faces get them from left to right in "
    "their order. They are compared after `faceops weights fetch mobilefacenet` (4 MB)."
)


def serve_page(options: ServeOptions) -> None:
    """Serve the page until the process is interrupted or told to end; photographs and results are then removed.

    Raises:
        ValueError: If the restorer cannot be used.
        OSError: If something is missing, or the address is taken.
    """
    limits = Limits(options.largest_upload_mb, options.largest_megapixels)
    offered = offered_weights(options.weights)
    remove_left_behind(Path(gettempdir()))
    with (
        listen(options.host, options.port) as listener,
        TemporaryDirectory(prefix=folder_prefix(), ignore_cleanup_errors=True) as folder,
        ended_by_signals(),
    ):
        try:
            with shown("Loading"):
                restorers = Restorers({each.name: source_of(each, options).load for each in offered})
                device = str(restorers.load().restorer.device)
                recognition = load_recognition(fetch=False)
            with closing(JobQueue(Path(folder), PhotoRestoration(restorers, recognition), limits)) as queue:
                # the detector of the restoration is not for several threads
                preview = Preview(build_detector())
                threshold = None if recognition.encoder is None else recognition.threshold
                site = Site(queue, limits, preview, offered, device, threshold, options.memory)
                server = build_server(site, options.host, options.names)
                if not is_local(listener):
                    print(OPEN_TO_ALL.format(host=options.host), file=sys.stderr)
                if threshold is None:
                    say(NOT_COMPARED)
                url = page_url(options.host, listener)
                print(f"Restore photographs at {url} (Ctrl-C ends it).", flush=True)
                if options.open_browser:
                    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
                server.run(sockets=[listener])
        except KeyboardInterrupt:
            say("Ended; photographs and results are removed.")


def source_of(offered: OfferedWeights, options: ServeOptions) -> RestorerSource:
    """Where a restorer comes from; base and prompt are meant for weights that the command line names."""
    if not offered.is_stated:
        return RestorerSource(offered.weights, device=options.device, precision=options.precision)
    return RestorerSource(offered.weights, options.base, options.prompt, options.device, options.precision)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let being told to end, and the terminal being closed, count as Ctrl-C, so that files are removed."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # one that is ignored, as under nohup, stays so
    taken = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
