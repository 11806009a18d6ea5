"""Face operations: detect, align and identify faces, batched and differentiable."""

from typing import TYPE_CHECKING

from faceops.public_names import public_name

if TYPE_CHECKING:
    from faceops.alignment import Aligned as Aligned
    from faceops.alignment import align as align
    from faceops.alignment import crop_faces as crop_faces
    from faceops.detection import build_detector as build_detector
    from faceops.faces import Faces as Faces
    from faceops.identity import build_identity as build_identity
    from faceops.identity import embed as embed
    from faceops.images import Picture as Picture
    from faceops.images import load_picture as load_picture
    from faceops.images import save_picture as save_picture
    from faceops.pasting import paste as paste
    from faceops.picture_files import find_pictures as find_pictures

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
    "Aligned": "faceops.alignment",
    "Faces": "faceops.faces",
    "Picture": "faceops.images",
    "align": "faceops.alignment",
    "build_detector": "faceops.detection",
    "build_identity": "faceops.identity",
    "crop_faces": "faceops.alignment",
    "embed": "faceops.identity",
    "find_pictures": "faceops.picture_files",
    "load_picture": "faceops.images",
    "paste": "faceops.pasting",
    "save_picture": "faceops.images",
}
"""Modules of the public names; each is imported when its name is first asked for, as torch takes seconds."""


def __getattr__(name: str) -> object:
    """A public name, or the version of the installed package."""
    return public_name("faceops", HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
