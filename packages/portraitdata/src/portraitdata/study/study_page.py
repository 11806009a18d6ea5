"""The page of a study: one file that needs no other and loads nothing."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from faceops.images.encoding import encode_samples
from faceops.images.files import load_picture
from faceops.progress.display import tracked
from portraitdata.images.resampling import bicubic
from portraitdata.study.questions import Question
from portraitdata.study.study_key import StudyKey
from portraitdata.study.study_pictures import Given, StudyPicture

MOST_BYTES = 200_000_000
"""Of a page; browsers of phones give up soon after."""

CAPTIONS: dict[Given, str] = {"reference": "Another photograph", "input": "Before restoration"}
"""Captions of given pictures, other than the one that shows who the person is."""


def study_page(key: StudyKey, pictures: Sequence[StudyPicture], most_width: int = 512, lossless: bool = False) -> str:
    """HTML that asks the questions of a key. It names no method and no file, only tokens.

    Answers are kept in the browser's local storage until they are done, and leave it as a file that is downloaded.

    Args:
        most_width: Wider pictures are reduced to it, in pixels.
        lossless: See `embed_picture`.

    Raises:
        ImageFileError: If a file cannot be read.
        ValueError: If candidates for one question, or the truth, have different sizes, or the page becomes too large.
    """
    by_name = {picture.name: picture for picture in pictures}
    album = _Album(most_width, lossless)
    asked = [_asked(question, by_name[question.picture], album) for question in tracked(key.questions, "Embedding")]
    record = {"study": key.study, "questions": asked, "images": album.addresses}
    folder = files("portraitdata.study")
    parts = {
        "style": folder.joinpath("page.css").read_text(encoding="utf-8"),
        "script": folder.joinpath("page.js").read_text(encoding="utf-8"),
        "data": as_script_data(record),
    }
    page = folder.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub("|".join(f"<!-- {name} -->" for name in parts), lambda found: parts[found[0].split()[1]], page)


def as_script_data(record: object) -> str:
    r"""JSON that may stand in a ``<script>``: nothing in it can end the element.

    Example:
        >>> as_script_data({"a": "</script>"})
        '{"a": "\\u003c/script>"}'
    """
    return json.dumps(record).replace("<", "\\u003c")


@dataclass
class _Album:
    """Pictures of the page, each once, in the order in which they are first shown."""

    most_width: int
    lossless: bool
    addresses: list[str] = field(default_factory=list)
    _places: dict[Path, int] = field(default_factory=dict)
    _sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, path: Path) -> int:
        """Place of a picture among the addresses."""
        if path not in self._places:
            found = embed_picture(path, self.most_width, self.lossless)
            self._places[path], self._sizes[path] = len(self.addresses), (found.width, found.height)
            self.addresses.append(found.address)
            self._bytes += len(found.address)
            if self._bytes > MOST_BYTES:
                raise ValueError(
                    f"The page would have more than {MOST_BYTES // 10**6} MB, which browsers do not take. Ask fewer "
                    f"questions, give a --width below {self.most_width}, or leave --lossless out."
                )
        return self._places[path]

    def size(self, paths: Sequence[Path]) -> tuple[int, int]:
        """Width and height, in pixels, that all of some pictures have."""
        first = paths[0]
        for path in paths[1:]:
            if self._sizes[path] != self._sizes[first]:
                sizes = [f"{width} x {height}" for width, height in (self._sizes[first], self._sizes[path])]
                raise ValueError(
                    f"{first} has {sizes[0]} pixels and {path} {sizes[1]}; pictures are compared at one size, and none "
                    "is resized to another here."
                )
        return self._sizes[first]


def _asked(question: Question, picture: StudyPicture, album: _Album) -> dict[str, object]:
    """A question as the page knows it."""
    given = picture.given if question.kind == "similarity" else {}
    candidates = [
        {"token": token, "image": album.add(picture.candidates[method])} for token, method in question.options.items()
    ]
    person = "truth" if "truth" in given else "reference"
    beside = [
        {"words": "The person" if kind == person else CAPTIONS[kind], "image": album.add(path)}
        for kind, path in given.items()
    ]
    truth = [given["truth"]] if "truth" in given else []
    width, height = album.size([*truth, *picture.candidates.values()])
    return {
        "token": question.token,
        "kind": question.kind,
        "given": beside,
        "candidates": candidates,
        "width": width,
        "height": height,
    }


QUALITY = 95
"""Of JPEG; colours are not subsampled, as WebP's always are."""


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page has it."""

    address: str
    """``data:image/...``"""
    width: int
    """In pixels of the file that it was made from, as `height`."""
    height: int


def embed_picture(path: Path, most_width: int, lossless: bool = False) -> EmbeddedPicture:
    """Encode a picture anew, from its pixels alone: what else the file holds may name the program that wrote it.

    A picture that is wider than `most_width` is reduced by MATLAB's bicubic; none is enlarged. Opacity is ignored.

    Args:
        most_width: In pixels.
        lossless: PNG instead of JPEG of quality 95 with full colour; two to three times the bytes.

    Raises:
        ImageFileError: If the file cannot be read.
    """
    pixels = load_picture(path).pixels
    height, width = pixels.shape[-2:]
    if width > most_width:
        pixels = bicubic(pixels, max(1, round(height * most_width / width)), most_width)
    samples = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    suffix, kind = (".png", "png") if lossless else (".jpg", "jpeg")
    data = encode_samples(samples, suffix, quality=QUALITY)
    return EmbeddedPicture(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", width, height)
