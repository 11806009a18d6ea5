"""``headsup serve``: load a restorer, serve the page, and leave nothing behind."""

import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faceops.detection.selection import build_detector
from headsup.restoring.files import Weights
from headsup.restoring.references.face_recognition import DETECTOR, load_recognition
from headsup.serving.job_queue import JobQueue
from headsup.serving.limits import Limits
from headsup.serving.page_server import PageServer
from headsup.serving.preview import Preview
from headsup.serving.restoration import PhotoRestoration
from headsup.serving.routes import Site


def serve_page(
    host: str, port: int, weights: Weights, limits: Limits, memory: float | None = None, open_browser: bool = False
) -> None:
    """Serve the page until the process is interrupted or told to end; photographs and results are then removed.

    Args:
        host: Address to listen at.
        port: Likewise; 0 for any that is free.
        weights: Which restorer computes, and where.
        limits: What is taken and kept.
        memory: Gigabytes that a restoration may take with the weights.
        open_browser: Show the page in the browser of this machine.

    Raises:
        ValueError: If the restorer cannot be used.
        OSError: If something is missing, or the address is taken.
    """
    files = TemporaryDirectory(prefix="headsup-", ignore_cleanup_errors=True)
    with PageServer(host, port) as server, files as folder, ended_by_signals():
        try:
            restorer = weights.load()
            recognition = load_recognition(fetch=False)
            queue = JobQueue(Path(folder), PhotoRestoration(restorer, recognition), limits)
            try:
                # the detector of the restoration is not for several threads
                detector = None if recognition is None else build_detector(DETECTOR)
                threshold = None if recognition is None else recognition.threshold
                name, device = Path(weights.weights).stem, str(restorer.device)
                server.site = Site(queue, limits, Preview(detector), name, device, threshold, memory)
                announce(server, recognition is not None)
                if open_browser:
                    threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
                server.serve_forever()
            finally:
                queue.close()
        except KeyboardInterrupt:
            print("Ended; photographs and results are removed.", file=sys.stderr)


def announce(server: PageServer, recognition: bool) -> None:
    """Say where the page is, and what is to be known of it."""
    if not server.is_local:
        print(
            f"With --host {server.host}, everybody who reaches this machine over the network can use the page, without "
            "a password, and photographs travel to it unencrypted.",
            file=sys.stderr,
        )
    if not recognition:
        print(
            "References are not taken, since the networks for faces are not there; they are after `faceops weights "
            "fetch yunet` and `faceops weights fetch mobilefacenet` (5 MB).",
            file=sys.stderr,
        )
    print(f"Restore photographs at {server.url} (Ctrl-C ends it).", flush=True)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Being told to end, or the terminal being closed, counts as Ctrl-C, so that files are removed."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # one that is ignored, as under nohup, stays so
    numbers = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
