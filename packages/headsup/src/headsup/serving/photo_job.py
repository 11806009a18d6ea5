"""A photograph on its way through the page: sent, waiting, in work, done."""

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headsup.restoring.report import FaceRecord, rounded
from headsup.serving.restore_request import RestoreRequest
from headsup.serving.uploads import Upload

State = Literal["open", "waiting", "working", "done", "failed"]
"""Open: files are still being sent."""


class CancelledError(Exception):
    """Nobody wants the result any more."""


class ForceableError(ValueError):
    """References that do not fit, which the page can be told not to mind.

    Args:
        sentence: What is wrong, for a person.
        offer: What a button that goes on in spite of it says.
    """

    def __init__(self, sentence: str, offer: str) -> None:
        super().__init__(sentence)
        self.offer = offer


@dataclass(frozen=True)
class Outcome:
    """Outcome of a photograph."""

    result: Path
    """The file to be downloaded."""
    before: Path
    """The photograph at the size of `after`, for browsers."""
    after: Path
    size: tuple[int, int]
    """Width and height of the result in pixels."""
    faces: tuple[FaceRecord, ...]
    references: tuple[Path | None, ...]
    """For each face the one in its reference, as the restorer saw it; None without one."""
    notes: tuple[str, ...]
    exif: bool = False
    """True if the result holds metadata of the photograph, EXIF or others."""
    full: tuple[Path, Path] | None = None
    """As `before` and `after`, where those are reduced, with all pixels; None where they are not."""


@dataclass(eq=False)
class PhotoJob:
    """A photograph, its references, and what became of it; all files are in its folder."""

    folder: Path
    """Its name is the id of the job."""
    photo: Upload | None = None
    references: list[Upload] = field(default_factory=list)
    is_receiving: bool = False
    """True while a file is on its way."""
    incoming: int = 0
    """Bytes of that file."""
    request: RestoreRequest | None = None
    state: State = "open"
    stage: str = ""
    """Current stage, in words."""
    outcome: Outcome | None = None
    error: str = ""
    offer: str = ""
    """Label of a button that tries again with force; empty if that would not help."""
    used: float = field(default_factory=time.monotonic)
    """When somebody last asked for it."""
    began: float = 0.0
    seconds: float = 0.0
    """Duration of the work."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        """Name in requests."""
        return self.folder.name

    @property
    def is_busy(self) -> bool:
        """True if it waits or is in work."""
        return self.state in ("waiting", "working")

    @property
    def is_in_use(self) -> bool:
        """True if it must not be deleted for others."""
        return self.is_busy or self.is_receiving

    def as_known(self, sentence: str) -> str:
        """A sentence in which files have the names that who sent them knows, without the folders they lie in.

        Example:
            >>> PhotoJob(Path("/tmp/x")).as_known("/tmp/x/reference0/a.png is damaged.")
            'a.png is damaged.'
        """
        return re.sub(rf"{re.escape(str(self.folder))}[\\/](\w+[\\/])?", "", sentence)

    def enter(self, stage: str) -> None:
        """Say what is done next, unless it is cancelled."""
        self.check()
        self.stage = stage

    def check(self) -> None:
        """Stop if nobody wants the result any more; CancelledError if so."""
        if self.cancelled.is_set():
            raise CancelledError

    def as_json(self, before: int, left: float | None) -> dict[str, Any]:
        """Convert to JSON for the page.

        Args:
            before: Photographs before it.
            left: Seconds until it is done; None if nobody knows.
        """
        seconds = time.monotonic() - self.began if self.state == "working" else self.seconds
        told: dict[str, Any] = {
            "state": self.state,
            "before": before,
            "stage": self.stage,
            "seconds": round(seconds, 1),
            "left": None if left is None else round(left, 1),
            "error": self.error,
            "offer": self.offer,
        }
        if self.outcome is not None and self.photo is not None:
            width, height = self.outcome.size
            told |= {
                "name": self.outcome.result.name,
                "width": width,
                "height": height,
                "notes": self.outcome.notes,
                "exif": self.outcome.exif,
                "full": self.outcome.full is not None,
                "faces": [face_json(face, self.photo.width, self.photo.height) for face in self.outcome.faces],
            }
        return told


def face_json(face: FaceRecord, width: int, height: int) -> dict[str, Any]:
    """Entry of a face for the page: the reference's name, the box in fractions of the photograph's sides."""
    left, top, right, bottom = face.box
    told: dict[str, Any] = rounded(
        {
            "box": [left / width, top / height, right / width, bottom / height],
            "person": face.person,
            "reference": None if face.reference is None else Path(face.reference).name,
            "input_to_reference": face.input_to_reference,
            "output_to_reference": face.output_to_reference,
            "output_to_input": face.output_to_input,
        }
    )
    return told
