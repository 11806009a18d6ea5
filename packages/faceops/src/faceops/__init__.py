"""Face operations: detect, align and identify faces, batched and differentiable."""

from typing import TYPE_CHECKING

from faceops.public_names import public_name

if TYPE_CHECKING:
    from faceops.detection.selection import build_detector as build_detector
    from faceops.geometry.alignment import Aligned as Aligned
    from faceops.geometry.alignment import align as align
    from faceops.geometry.alignment import crop_faces as crop_faces
    from faceops.geometry.faces import Faces as Faces
    from faceops.geometry.pasting import paste as paste
    from faceops.images.files import Picture as Picture
    from faceops.images.files import load_picture as load_picture
    from faceops.images.files import save_picture as save_picture
    from faceops.images.picture_files import find_pictures as find_pictures
    from faceops.recognition.identity import build_identity as build_identity
    from faceops.recognition.identity import embed as embed

    __version__: str

__all__ = [
    "Aligned",
    "Faces",
    "Picture",
    "align",
    "build_detector",
    "build_identity",
    "crop_faces",
    "embed",
    "find_pictures",
    "load_picture",
    "paste",
    "save_picture",
]

HOMES = {
    "Aligned": "faceops.geometry.alignment",
    "Faces": "faceops.geometry.faces",
    "Picture": "faceops.images.files",
    "align": "faceops.geometry.alignment",
    "build_detector": "faceops.detection.selection",
    "build_identity": "faceops.recognition.identity",
    "crop_faces": "faceops.geometry.alignment",
    "embed": "faceops.recognition.identity",
    "find_pictures": "faceops.images.picture_files",
    "load_picture": "faceops.images.files",
    "paste": "faceops.geometry.pasting",
    "save_picture": "faceops.images.files",
}
"""Modules of the public names; each is imported when its name is first asked for, as torch takes seconds."""


def __getattr__(name: str) -> object:
    """A public name, or the version of the installed package."""
    return public_name("faceops", HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
