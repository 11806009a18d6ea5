"""Routes of the page. Answers without a file are JSON; a refusal is ``{"error": "A sentence."}``."""

import errno
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from headsup.restoring.options import default_scale
from headsup.restoring.report import rounded
from headsup.serving.job_queue import DELETED, JobQueue, unexpected
from headsup.serving.limits import MEGA, Limits
from headsup.serving.photo_job import Outcome, PhotoJob
from headsup.serving.preview import Preview
from headsup.serving.request_guard import RequestGuard
from headsup.serving.restore_request import parse_request
from headsup.serving.restorers import OfferedWeights
from headsup.serving.uploads import Upload, announced_length, receive_picture, safe_name

PAGE = Path(__file__).parent / "page"
"""Folder of the page: HTML, style sheets and modules, as they are served."""

TYPES = {
    **{".html": "text/html", ".css": "text/css", ".js": "text/javascript"},
    **{".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".tif": "image/tiff"},
    ".avif": "image/avif",
}
"""Media types of all files that are sent; what Python knows of them depends on the machine."""

LONGEST_REQUEST = 10_000
"""Bytes of what the page says of how to restore."""


@dataclass(frozen=True)
class Site:
    """State of the server, and its answers."""

    queue: JobQueue
    limits: Limits
    preview: Preview
    weights: tuple[OfferedWeights, ...] = ()
    """Restorers that can be chosen, the default one first."""
    device: str = ""
    threshold: float | None = None
    """See `headsup.restoring.references.face_recognition.FaceRecognition`; None if no network tells people apart."""
    memory: float | None = None
    """See `headsup.restoring.options.RestoreOptions`."""

    def app(self, host: str, names: Sequence[str] = ()) -> ASGIApp:
        """Everything that is served where the server listens at a host, see `RequestGuard`."""
        routes = [
            Route("/", page_file),
            *(Route(f"/{path.name}", page_file) for path in PAGE.iterdir() if path.suffix in (".css", ".js")),
            Route("/settings", self.settings),
            Route("/jobs", self.open_job, methods=["POST"]),
            Route("/jobs/{job}", self.state),
            Route("/jobs/{job}", self.delete, methods=["DELETE"]),
            Route("/jobs/{job}/photo", self.take_photo, methods=["PUT"]),
            Route("/jobs/{job}/photo", self.show_photo),
            Route("/jobs/{job}/faces", self.find_faces),
            Route("/jobs/{job}/references", self.take_reference, methods=["POST"]),
            Route("/jobs/{job}/start", self.start, methods=["POST"]),
            Route("/jobs/{job}/result", self.result),
            Route("/jobs/{job}/before", self.before),
            Route("/jobs/{job}/after", self.after),
            Route("/jobs/{job}/before/full", self.full_before),
            Route("/jobs/{job}/after/full", self.full_after),
            Route("/jobs/{job}/faces/{number:int}", self.reference_face),
        ]
        refused = {HTTPException: refusal, ClientDisconnect: refusal, ValueError: refusal, OSError: refusal}
        answering = Starlette(routes=routes, exception_handlers={**refused, Exception: refusal})
        return RequestGuard(answering, host, names)

    def settings(self, request: Request) -> JSONResponse:
        """Restorer, device and limits."""
        return JSONResponse(
            {
                "weights": [{"name": each.name, "guided": each.is_guided} for each in self.weights],
                "device": self.device,
                "threshold": self.threshold,
                "largest_bytes": self.limits.megabytes * MEGA,
                "largest_pixels": self.limits.megapixels * MEGA,
                "most_references": self.limits.references,
                "most_jobs": self.limits.jobs,
                "minutes": round(self.limits.seconds / 60),
            }
        )

    def open_job(self, request: Request) -> JSONResponse:
        """Id of a new, empty job."""
        return JSONResponse({"id": self.queue.open().id}, HTTPStatus.CREATED)

    async def take_photo(self, request: Request) -> JSONResponse:
        """Take the photograph of a job, the body of the request."""
        job = self._job(request)
        if job.state != "open" or job.photo is not None:
            raise HTTPException(HTTPStatus.CONFLICT, "This job has its photograph; another one is another job.")
        job.photo = photo = await self._receive(request, job, "photo")
        usual = math.floor(default_scale(photo.height, photo.width) * 10) / 10
        scale = min(usual, self.limits.largest_scale(photo.width, photo.height))
        return JSONResponse({"width": photo.width, "height": photo.height, "scale": scale})

    def show_photo(self, request: Request) -> FileResponse:
        """The photograph of a job, for browsers that do not show such files."""
        job = self._job_with_photo(request)
        path = self.preview.photograph(job)
        try:
            self.queue.check_room(job)
        except HTTPException:
            path.unlink(missing_ok=True)
            raise
        return file_response(path)

    def find_faces(self, request: Request) -> JSONResponse:
        """Boxes of the faces in the photograph."""
        return JSONResponse({"faces": rounded(self.preview.faces(self._job_with_photo(request)))})

    async def take_reference(self, request: Request) -> JSONResponse:
        """Take a reference of a job likewise."""
        job, most = self._job(request), self.limits.references
        if job.state != "open" or len(job.references) >= most:
            sentence = f"A job takes up to {most} references, before it is started."
            raise HTTPException(HTTPStatus.CONFLICT, sentence)
        job.references.append(await self._receive(request, job, f"reference{len(job.references)}"))
        return JSONResponse({"references": len(job.references)})

    async def start(self, request: Request) -> JSONResponse:
        """Queue a job, see `restore_request`."""
        job = self._job(request)
        if announced_length(request) > LONGEST_REQUEST:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much to say of a job.")
        wanted = parse_request(await request.body(), self.memory, [each.name for each in self.weights])
        if job.photo is not None:
            height, width = wanted.options.target(job.photo.height, job.photo.width)
            self.limits.check_result(job.photo.width, job.photo.height, (width, height))
        self.queue.start(job, wanted)
        return JSONResponse(self.queue.told(job), HTTPStatus.ACCEPTED)

    def state(self, request: Request) -> JSONResponse:
        """State of a job, place in the queue, faces, notes."""
        return JSONResponse(self.queue.told(self._job(request)))

    def result(self, request: Request) -> FileResponse:
        """The restored file, to be kept."""
        path = self._outcome(request).result
        return file_response(path, path.name)

    def before(self, request: Request) -> FileResponse:
        """The photograph as large as what follows."""
        return file_response(self._outcome(request).before)

    def after(self, request: Request) -> FileResponse:
        """The result as browsers show it."""
        return file_response(self._outcome(request).after)

    def full_before(self, request: Request) -> FileResponse:
        """The photograph as large as what follows, with all pixels."""
        outcome = self._outcome(request)
        return file_response((outcome.full or (outcome.before, outcome.after))[0])

    def full_after(self, request: Request) -> FileResponse:
        """The result as browsers show it, with all pixels."""
        outcome = self._outcome(request)
        return file_response((outcome.full or (outcome.before, outcome.after))[1])

    def reference_face(self, request: Request) -> FileResponse:
        """The reference of a face of the result, as the restorer saw it."""
        references, number = self._outcome(request).references, request.path_params["number"]
        path = references[number] if number < len(references) else None
        if path is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "This face has no reference.")
        return file_response(path)

    def delete(self, request: Request) -> JSONResponse:
        """Stop and delete a job."""
        self.queue.delete(self._job(request))
        return JSONResponse({})

    async def _receive(self, request: Request, job: PhotoJob, place: str) -> Upload:
        """Take a picture that is sent, under the name that the query gives, into a folder of a job."""
        name, length = safe_name(request.query_params.get("name", "")), announced_length(request)
        self.limits.check_length(name, length)
        with self.queue.receiving(job, length):
            return await receive_picture(request, job.folder / place / name, self.limits)

    def _job(self, request: Request) -> PhotoJob:
        return self.queue.find(request.path_params["job"])

    def _job_with_photo(self, request: Request) -> PhotoJob:
        job = self._job(request)
        if job.photo is None:
            raise HTTPException(HTTPStatus.CONFLICT, "Send a photograph first.")
        return job

    def _outcome(self, request: Request) -> Outcome:
        outcome = self._job(request).outcome
        if outcome is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no result yet.")
        return outcome


def page_file(request: Request) -> FileResponse:
    """The page or what belongs to it."""
    return file_response(PAGE / (request.url.path.strip("/") or "index.html"))


def file_response(path: Path, name: str | None = None) -> FileResponse:
    """A file, to be kept if it is given a name."""
    return FileResponse(path, media_type=TYPES[path.suffix], filename=name, stat_result=path.stat())


async def refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer an error; unexpected ones are also shown on the terminal in full."""
    headers: Mapping[str, str] | None = None
    match error:
        case HTTPException(status_code=status, detail=sentence, headers=headers):
            if sentence == HTTPStatus(status).phrase:  # the router's own
                status, sentence = HTTPStatus.NOT_FOUND, f"There is nothing at {request.url.path} to {request.method}."
        case ClientDisconnect():
            status, sentence = HTTPStatus.BAD_REQUEST, "The file broke off on its way; send it again."
        case ValueError():
            status, sentence = HTTPStatus.BAD_REQUEST, str(error)
        case FileNotFoundError():
            status, sentence = HTTPStatus.NOT_FOUND, DELETED
        case OSError(errno=errno.ENOSPC):
            status = HTTPStatus.INSUFFICIENT_STORAGE
            sentence = "There is no space left for files on the serving machine."
        case _:
            status, sentence = HTTPStatus.INTERNAL_SERVER_ERROR, unexpected(error)
    return JSONResponse({"error": sentence}, status, headers)
