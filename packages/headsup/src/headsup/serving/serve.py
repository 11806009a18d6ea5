"""``headsup serve``: load a restorer, serve the page, and leave nothing behind."""

import signal
import sys
import threading
import webbrowser
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from faceops.detection.selection import build_detector
from headsup.command_options import ServeOptions
from headsup.restoring.files import RestorerSource
from headsup.restoring.references.face_recognition import DETECTOR, load_recognition
from headsup.serving.job_queue import JobQueue
from headsup.serving.limits import Limits
from headsup.serving.page_server import build_server, is_local, listen, page_url
from headsup.serving.preview import Preview
from headsup.serving.restoration import PhotoRestoration
from headsup.serving.routes import Site

OPEN_TO_ALL = (
    "With --host {host}, everybody who reaches this machine over the network can use the page, without a password, and "
    "photographs travel to it unencrypted."
)
NO_REFERENCES = (
    "References are not taken, since the networks for faces are not there; they are after `faceops weights fetch "
    "yunet` and `faceops weights fetch mobilefacenet` (5 MB)."
)


def serve_page(options: ServeOptions) -> None:
    """Serve the page until the process is interrupted or told to end; photographs and results are then removed.

    Raises:
        ValueError: If the restorer cannot be used.
        OSError: If something is missing, or the address is taken.
    """
    limits = Limits(options.largest_upload_mb, options.largest_megapixels)
    source = RestorerSource.stated(options)
    files = TemporaryDirectory(prefix="headsup-", ignore_cleanup_errors=True)
    with listen(options.host, options.port) as listener, files as folder:
        try:
            end_on_signals()
            restorer = source.load()
            recognition = load_recognition(fetch=False)
            with closing(JobQueue(Path(folder), PhotoRestoration(restorer, recognition), limits)) as queue:
                # the detector of the restoration is not for several threads
                preview = Preview(None if recognition is None else build_detector(DETECTOR))
                threshold = None if recognition is None else recognition.threshold
                name, device = Path(options.weights).stem, str(restorer.device)
                site = Site(queue, limits, preview, name, device, threshold, options.memory)
                server = build_server(site, options.host)
                if not is_local(listener):
                    print(OPEN_TO_ALL.format(host=options.host), file=sys.stderr)
                if recognition is None:
                    print(NO_REFERENCES, file=sys.stderr)
                url = page_url(options.host, listener)
                print(f"Restore photographs at {url} (Ctrl-C ends it).", flush=True)
                if options.open_browser:
                    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
                server.run(sockets=[listener])
        except KeyboardInterrupt:
            print("Ended; photographs and results are removed.", file=sys.stderr)


def end_on_signals() -> None:
    """Let being told to end, and the terminal being closed, count as Ctrl-C, so that files are removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) == signal.SIG_DFL:  # one that is ignored, as under nohup, stays so
            signal.signal(number, signal.default_int_handler)
