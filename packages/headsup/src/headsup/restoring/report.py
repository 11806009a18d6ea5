"""The report of `headsup restore` and `headsup blend`: what was done to each picture, as JSON."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from faceops.atomic_files import replacing
from faceops.error_sentences import as_sentence
from faceops.json_text import parse_json
from faceops.progress.verbosity import say_failure
from headsup.restoring.options import RestoreOptions
from headsup.restoring.references.left_over import LeftOver

Command = Literal["headsup restore", "headsup blend"]
"""Value of ``report`` in the file, by which it is known again."""

PAUSE = 5.0
"""Seconds between two writings of a report at least."""

LARGEST_SHARE = 0.1
"""Share of the time that writing a report takes at most; those of many thousands of pictures wait longer for it."""


@dataclass(frozen=True)
class FaceRecord:
    """A face of a picture; similarities are cosines of embeddings."""

    box: Sequence[float]
    """Left, top, right and bottom in pixels of the input."""
    person: str | None
    reference: str | None
    """The photograph that was used."""
    input_to_reference: float | None
    """Similarity of the face in the input and the mean of the person's photographs; null without a reference. All three
    are null where no network tells people apart."""
    output_to_input: float | None
    output_to_reference: float | None
    seam: float | None
    """BoundaryArtifact of the result, against the enlarged input, around the face's box, or where a face was pasted
    around what was pasted; null where that has no border within the picture."""


@dataclass(frozen=True)
class PictureRecord:
    """Outcome of an image."""

    input: str
    output: str
    status: Literal["restored", "there already", "failed"]
    input_size: tuple[int, int] | None = None
    """Width and height in pixels."""
    output_size: tuple[int, int] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time of each stage."""
    faces: Sequence[FaceRecord] = ()
    used: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reference photographs that were used, by the name of the person."""
    unused: Sequence[LeftOver] = ()
    """People of the references whom no face was given."""
    notes: Sequence[str] = ()
    error: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """Facts that all images of a run share; repeated for each, since a later run may add images made in another way."""

    weights: str
    base: str
    device: str
    precision: str
    prompt: str
    references: Sequence[str]
    options: RestoreOptions
    tagger: str | None = None
    """Who says what is on each image, before the prompt; null for nobody."""
    face_weights: str | None = None
    """Restorer of the faces, of `headsup blend`; null where one restorer did all, as are the next two."""
    face_base: str | None = None
    face_size: int | None = None
    """Side of the aligned faces in pixels."""

    @property
    def command(self) -> Command:
        """Restorer of the images."""
        return "headsup restore" if self.face_weights is None else "headsup blend"


class Report:
    """A report file, written at first, every few seconds and when it is finished; what is there is always whole.

    Args:
        path: File to write. A report that is there keeps what it says about pictures that are not made again.
        clock: Gives seconds.

    Raises:
        ValueError: If the file is there and no report of the same command.
    """

    def __init__(self, path: Path, run: RunRecord, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.run = path, run
        earlier = earlier_pictures(path, run.command)
        self.pictures: dict[tuple[str, str], dict[str, Any]] = {
            result_key(entry["input"], entry["output"]): entry for entry in earlier
        }
        self._clock, self._due = clock, clock()
        self._is_written = True

    def add(self, *records: PictureRecord) -> None:
        """Add pictures, and write the file if it is time; one that is there already keeps what was said of it before.

        Raises:
            OSError: If the file cannot be written.
        """
        for record in records:
            key = result_key(record.input, record.output)
            if record.status != "there already" or key not in self.pictures:
                self.pictures[key] = asdict(record) | asdict(self.run)
                self._is_written = False
        if self._clock() >= self._due:
            self._write()

    def finish(self) -> bool:
        """Write what is not written yet, whatever has ended the run; say why if that fails, and tell whether it did."""
        try:
            self._write()
        except OSError as error:
            say_failure(as_sentence(error))
        return self._is_written

    def _write(self) -> None:
        """Write the file unless it says all."""
        if self._is_written:
            return
        start = self._clock()
        content = {"report": self.run.command, "pictures": list(self.pictures.values())}
        text = json.dumps(rounded(content), indent=2, ensure_ascii=False, allow_nan=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")  # as JSON does
        self._is_written, end = True, self._clock()
        self._due = end + max(PAUSE, (end - start) / LARGEST_SHARE)


def result_key(source: str, output: str) -> tuple[str, str]:
    """What a result is known by: its place however it is spelt, or where it is piped on its input.

    Example:
        >>> result_key("a.png", "out/a.png") == result_key("./a.png", "out/../out/a.png")
        True
        >>> result_key("a.png", "-") == result_key("b.png", "-")
        False
    """
    return ("-", os.path.abspath(source)) if output == "-" else ("", os.path.abspath(output))


def earlier_pictures(path: Path, command: Command) -> list[dict[str, Any]]:
    """Pictures of a report that is there; none if there is none.

    Args:
        command: Whose report it should be.

    Raises:
        ValueError: If the file is no report of that command.
    """
    if not path.exists():
        return []
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["report"] == command:
            return [
                dict(entry, input=str(entry["input"]), output=str(entry["output"])) for entry in content["pictures"]
            ]
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{path} is there and is no report of {command}; name another file for --report.")


def rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with numbers of four decimals; what is not finite is null.

    Example:
        >>> rounded({"a": [0.123456, float("nan")], "b": 3})
        {'a': [0.1235, None], 'b': 3}
    """
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
