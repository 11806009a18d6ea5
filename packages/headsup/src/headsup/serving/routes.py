"""What the page can ask for.

=======  ============================  =============================================
Method   Path                          Answer
=======  ============================  =============================================
GET      /                             The page; its .css and .js files beside it
GET      /settings                     What computes, and the limits
POST     /jobs                         Id of a new, empty job
PUT      /jobs/ID/photo?name=          Takes the photograph, the body of the request
GET      /jobs/ID/photo                The photograph as browsers show it
GET      /jobs/ID/faces                Boxes of the faces that are found in it
POST     /jobs/ID/references?name=     Takes a reference likewise
POST     /jobs/ID/start                Takes scale, fidelity, colour, force and box of
                                       the face that counts, see `order`; queues
GET      /jobs/ID                      State, place in the queue, faces, notes
GET      /jobs/ID/result               The restored file; also before and after
GET      /jobs/ID/faces/N              Reference of face N, as the restorer saw it
DELETE   /jobs/ID                      Stops and forgets it
=======  ============================  =============================================

Answers without a file are JSON; a refusal is ``{"error": "A sentence."}``.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headsup.restoring.options import default_scale
from headsup.restoring.report import rounded
from headsup.serving.job_queue import JobQueue
from headsup.serving.limits import MEGA, Limits, RefusalError
from headsup.serving.order import parse_order
from headsup.serving.photo_job import Outcome, PhotoJob
from headsup.serving.preview import Preview
from headsup.serving.uploads import Body, receive_picture

PAGE = Path(__file__).parent
TYPES = {
    **{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"},
    **{".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".tif": "image/tiff"},
}
"""Media types of all files that are sent."""

LONGEST_ORDER = 10_000
"""Bytes of what the page says of a job."""


@dataclass(frozen=True)
class Site:
    """What requests are answered from."""

    queue: JobQueue
    limits: Limits
    preview: Preview
    weights: str = ""
    """What the page calls the restorer."""
    device: str = ""
    threshold: float | None = None
    """See `headsup.restoring.references.face_recognition.FaceRecognition`; None if the networks for faces are not
    there."""
    memory: float | None = None
    """See `headsup.restoring.options.RestoreOptions`."""

    @property
    def references(self) -> bool:
        """Whether references are taken."""
        return self.threshold is not None


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Body


@dataclass(frozen=True)
class Answer:
    """What is answered: a file, or JSON."""

    content: Path | Mapping[str, Any]
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Media type."""
        return TYPES[self.content.suffix] if isinstance(self.content, Path) else "application/json"


def answer(site: Site, request: Request) -> Answer:
    """Answer a request.

    Raises:
        RefusalError: If it cannot be done, or there is no such thing.
        ImageFileError: If what was sent is no picture.
        OSError: If a file cannot be written.
    """
    for method, pattern, route in ROUTES:
        match = re.fullmatch(pattern, request.path)
        if match and method == request.method:
            return route(site, request, *match.groups())
    raise RefusalError(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path} to {request.method}.")


def page_file(site: Site, request: Request, name: str) -> Answer:
    """The page or what belongs to it."""
    return Answer(PAGE / (name or "page.html"))


def settings(site: Site, request: Request) -> Answer:
    """What computes, and the limits."""
    limits = site.limits
    return Answer(
        {
            "weights": site.weights,
            "device": site.device,
            "references": site.references,
            "threshold": site.threshold,
            "largest_bytes": limits.megabytes * MEGA,
            "largest_pixels": limits.megapixels * MEGA,
            "most_references": limits.references,
            "most_jobs": limits.jobs,
            "minutes": round(limits.seconds / 60),
        }
    )


def open_job(site: Site, request: Request) -> Answer:
    """A new, empty job."""
    return Answer({"id": site.queue.open().id}, HTTPStatus.CREATED)


def take_photo(site: Site, request: Request, name: str) -> Answer:
    """Take the photograph of a job."""
    job = site.queue.find(name)
    if job.state != "open" or job.photo is not None:
        raise RefusalError(HTTPStatus.CONFLICT, "This job has its photograph; another one is another job.")
    photo = receive_picture(request.body, job.folder / "photo", request.query.get("name", ""), site.limits)
    job.photo = photo
    usual = math.floor(default_scale(photo.height, photo.width) * 10) / 10
    scale = min(usual, site.limits.largest_scale(photo.width, photo.height))
    return Answer({"width": photo.width, "height": photo.height, "scale": scale})


def show_photo(site: Site, request: Request, name: str) -> Answer:
    """The photograph of a job, for browsers that do not show such files."""
    return Answer(site.preview.photograph(with_photo(site, name)))


def find_faces(site: Site, request: Request, name: str) -> Answer:
    """Where the faces of the photograph are."""
    return Answer({"faces": rounded(site.preview.faces(with_photo(site, name)))})


def with_photo(site: Site, name: str) -> PhotoJob:
    """A job whose photograph is there."""
    job = site.queue.find(name)
    if job.photo is None:
        raise RefusalError(HTTPStatus.CONFLICT, "Send a photograph first.")
    return job


def take_reference(site: Site, request: Request, name: str) -> Answer:
    """Take a reference of a job."""
    job = site.queue.find(name)
    if not site.references:
        raise RefusalError(
            HTTPStatus.CONFLICT, "References need the networks for faces, which are not on the machine that restores."
        )
    if job.state != "open" or len(job.references) >= site.limits.references:
        raise RefusalError(
            HTTPStatus.CONFLICT, f"A job takes up to {site.limits.references} references, before it is started."
        )
    folder = job.folder / f"reference{len(job.references)}"
    job.references.append(receive_picture(request.body, folder, request.query.get("name", ""), site.limits))
    return Answer({"references": len(job.references)})


def start(site: Site, request: Request, name: str) -> Answer:
    """Queue a job."""
    job = site.queue.find(name)
    if request.body.length > LONGEST_ORDER:
        raise RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much to say of a job.")
    order = parse_order(b"".join(request.body.chunks()), site.memory)
    if job.photo is not None:
        height, width = order.options.target(job.photo.height, job.photo.width)
        site.limits.check_result(job.photo.width, job.photo.height, (width, height))
    site.queue.start(job, order)
    return Answer(job.as_json(site.queue.before(job)), HTTPStatus.ACCEPTED)


def state(site: Site, request: Request, name: str) -> Answer:
    """What became of a job so far."""
    job = site.queue.find(name)
    return Answer(job.as_json(site.queue.before(job)))


def job_file(site: Site, request: Request, name: str, which: str) -> Answer:
    """The result of a job, or what the page shows of it."""
    outcome = outcome_of(site, name)
    if which != "result":
        return Answer(outcome.before if which == "before" else outcome.after)
    given = quote(outcome.result.name, safe="")
    return Answer(outcome.result, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{given}"})


def reference_face(site: Site, request: Request, name: str, number: str) -> Answer:
    """The reference of a face of the result."""
    references = outcome_of(site, name).references
    file = references[int(number)] if int(number) < len(references) else None
    if file is None:
        raise RefusalError(HTTPStatus.NOT_FOUND, "This face has no reference.")
    return Answer(file)


def outcome_of(site: Site, name: str) -> Outcome:
    """What became of a job that is done."""
    outcome = site.queue.find(name).outcome
    if outcome is None:
        raise RefusalError(HTTPStatus.NOT_FOUND, "There is no result yet.")
    return outcome


def forget(site: Site, request: Request, name: str) -> Answer:
    """Stop and forget a job."""
    site.queue.forget(site.queue.find(name))
    return Answer({})


JOB = r"/jobs/([\w-]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", r"/(|page\.css|(?:page|preview|result)\.js)", page_file),
    ("GET", r"/settings", settings),
    ("POST", r"/jobs", open_job),
    ("PUT", rf"{JOB}/photo", take_photo),
    ("GET", rf"{JOB}/photo", show_photo),
    ("GET", rf"{JOB}/faces", find_faces),
    ("POST", rf"{JOB}/references", take_reference),
    ("POST", rf"{JOB}/start", start),
    ("GET", JOB, state),
    ("GET", rf"{JOB}/(result|before|after)", job_file),
    ("GET", rf"{JOB}/faces/(\d{{1,4}})", reference_face),
    ("DELETE", JOB, forget),
)
