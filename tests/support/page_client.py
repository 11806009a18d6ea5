"""A server of the page on a free port, with a stand-in for what restores, and who asks it over HTTP."""

import http.client
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from uvicorn import Server

from faceops.detection.detector import Detector
from faceops.geometry.faces import Faces
from headsup.restoring.report import FaceRecord
from headsup.serving.job_queue import JobQueue
from headsup.serving.limits import Limits
from headsup.serving.photo_job import Outcome, PhotoJob
from headsup.serving.preview import Preview
from headsup.serving.restorers import OfferedWeights
from headsup.serving.routes import Site
from headsup.serving.serve import build_server, listen

FACE = FaceRecord((10.0, 5.0, 30.0, 15.0), "ann.png and 1 more", "/tmp/secret/ann.png", 0.41234, 0.9, 0.5, 0.1)


class Work:
    """Restores by copying, when it is let; fails with what it is told to."""

    def __init__(self) -> None:
        self.go, self.error, self.done = threading.Event(), None, []
        self.go.set()

    def __call__(self, job: PhotoJob) -> Outcome:
        job.enter("Copying")
        while not self.go.wait(0.01):
            job.check()
        if self.error is not None:
            raise self.error
        result = job.folder / f"{job.photo.path.stem}-restored{job.photo.suffix}"
        result.write_bytes(job.photo.path.read_bytes())
        self.done.append(job.id)
        size = job.photo.width, job.photo.height
        return Outcome(result, result, result, size, (FACE,), (result,), ("A note.",), exif=True)


class Client:
    """Asks a server, one connection for each request."""

    def __init__(self, port: int, work: Work, site: Site, server: Server) -> None:
        self.port, self.work, self.server = port, work, server
        self.site, self.queue = site, site.queue

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.content = response.read()
        connection.close()
        return response

    def ask(self, method: str, path: str, body: bytes | None = None, status: int = 200, **headers: str) -> dict:
        response = self.raw(method, path, body, **headers)
        assert response.status == status, response.content
        return json.loads(response.content)

    def job(self, name: str = "a.png", data: bytes | None = None) -> str:
        path = f"/jobs/{self.ask('POST', '/jobs', status=201)['id']}"
        self.ask("PUT", f"{path}/photo?name={name}", png() if data is None else data)
        return path

    def start(self, path: str, status: int = 202, **options: object) -> dict:
        return self.ask("POST", f"{path}/start", json.dumps({"scale": 1} | options).encode(), status)

    def ended(self, path: str) -> dict:
        for _ in range(500):
            told = self.ask("GET", path)
            if told["state"] in ("done", "failed"):
                return told
            time.sleep(0.01)
        raise AssertionError(told)


def png(width: int = 40, height: int = 20, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def nobody(_: object) -> Faces:
    """A detector that finds no face."""
    return Faces.none()


@contextmanager
def serving(folder: Path, limits: Limits, detector: Detector = nobody, **site: object) -> Iterator[Client]:
    work = Work()
    with listen("127.0.0.1", 0) as listener, closing(JobQueue(folder, work, limits)) as queue:
        offered = (OfferedWeights("guided", "guided", True, True), OfferedWeights("tiny", "tiny", False, False))
        told = {"weights": offered, "device": "cpu", "threshold": 0.34, **site}
        site = Site(queue, limits, Preview(detector), **told)
        server = build_server(site, "127.0.0.1")
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Client(listener.getsockname()[1], work, site, server)
        finally:
            server.should_exit = True
            thread.join()
