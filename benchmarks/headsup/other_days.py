"""People of Labeled Faces in the Wild whom nobody trained on, in photographs of different days."""

import tarfile
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import torch

from benchmarks.headsup.original_portraits import REFERENCE, Portrait, detector, spread_names
from benchmarks.headsup.portrait_sets import TRAINING, check_unseen, held_out
from benchmarks.photographs import photographs
from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.images.files import decode_picture
from portraitdata.images.resampling import bicubic, to_8_bit

WINDOW, SIDE = 160, 128
"""Side in pixels of the middle of a photograph, which has the face, and of the truth that it is reduced to."""


def people_of_other_days(count: int, photos: int) -> list[list[Portrait]]:
    """The first photographs of some people, evenly spread over the held-out list.

    Args:
        count: How many people.
        photos: How many photographs of each; those in which no face is found are left out.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    listed = held_out("lfw")
    check_unseen(listed, listed, TRAINING / "lfw")
    people = {person: list(names) for person, names in groupby(listed, lambda name: name.split("/")[1])}
    several = [person for person, names in people.items() if len(names) >= photos]
    chosen = [people[person][:photos] for person in spread_names(several, count)]
    with tarfile.open(photographs() / "images/lfw_min4_max10.tar") as archive:
        read = [[read_photograph(archive, name) for name in names] for names in chosen]
    return [found for some in read if len(found := [each for each in some if each is not None]) == photos]


def read_photograph(archive: tarfile.TarFile, name: str) -> Portrait | None:
    """A photograph of the archive; None if no face is found in its middle."""
    member = archive.extractfile(name)
    assert member is not None
    pixels = decode_picture(member.read(), name).pixels
    top, left = ((length - WINDOW) // 2 for length in pixels.shape[1:])
    middle = pixels[None, :, top : top + WINDOW, left : left + WINDOW]
    truth = to_8_bit(bicubic(middle, SIDE, SIDE))
    face = detector()(truth).largest()
    if not len(face):
        return None
    whole = moved(face.rescaled(WINDOW / SIDE), left, top)
    aligned = to_8_bit(align(pixels[None], whole, REFERENCE).crops)[0]
    return Portrait(Path(name).stem, name.split("/")[1], truth[0], face, aligned)


def moved(faces: Faces, right: int, down: int) -> Faces:
    """Faces of a part of a picture, in pixels of the whole."""
    shift = torch.tensor([right, down], dtype=torch.float32)
    return replace(faces, boxes=faces.boxes + shift.repeat(2), landmarks=faces.landmarks + shift)
