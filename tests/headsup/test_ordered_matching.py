"""Who is who where no network tells people apart: the order decides."""

from pathlib import Path

import pytest
import torch

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from headsup.restoring.references.face_recognition import EmbeddedFaces
from headsup.restoring.references.matching import note_on_input_itself
from headsup.restoring.references.ordered_matching import match_in_order
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import UnusedReferencesError
from headsup.restoring.references.reference_photo import ReferencePhoto

TEMPLATE = FFHQ_512.tensor().float()


def person(name: str, folder: str | None = None) -> Person:
    face = torch.zeros(3, 512, 512, dtype=torch.uint8)
    return Person((ReferencePhoto(Path(name), f"digest of {name}", (60, 40), face, TEMPLATE, 126.0, None),), folder)


def seen(*lefts: float) -> EmbeddedFaces:
    """Faces, the largest first, at some left edges."""
    count = len(lefts)
    boxes = torch.tensor([[left, 0.0, left + 60 - 10 * k, 80.0] for k, left in enumerate(lefts)]).reshape(count, 4)
    points = (TEMPLATE / 8).expand(count, 5, 2) + torch.tensor(lefts).reshape(count, 1, 1)
    return EmbeddedFaces(Faces(torch.zeros(count, dtype=torch.long), boxes, points, torch.ones(count)), None)


ANN, BEN, CLEO = (person(f"{name}.jpg") for name in ("ann", "ben", "cleo"))


def test_one_face_and_one_person_need_no_network_and_no_word() -> None:
    (match,) = (matching := match_in_order(seen(10), [ANN], "a.png")).matches
    assert match is not None
    assert (match.person, match.photos, match.similarity) == (ANN, ANN.photos, None)
    assert (matching.notes, matching.unused) == ((), ())
    assert note_on_input_itself(match, "another", (60, 40)) is None
    assert "is the picture itself" in (note_on_input_itself(match, "digest of ann.jpg", (1, 1)) or "")


def test_faces_from_left_to_right_get_the_references_in_their_order() -> None:
    matching = match_in_order(seen(200, 10, 100), [ANN, BEN, CLEO], "a.png")
    assert [match.person for match in matching.matches if match] == [CLEO, ANN, BEN]
    assert matching.notes == (
        "No network tells people apart, so the order of the references decides, from left to right: face 2 at (35, 40) "
        "is taken for ann.jpg, face 3 at (120, 40) is taken for ben.jpg and face 1 at (230, 40) is taken for cleo.jpg. "
        "Look whether it is right.",
    )


def test_of_more_faces_than_people_the_largest_count_and_of_more_people_the_first() -> None:
    few = match_in_order(seen(200, 100, 10), [ANN, BEN], "a.png")
    assert [match and match.person for match in few.matches] == [BEN, ANN, None]
    assert few.notes[0].endswith("; smaller faces have no reference. Look whether it is right.")
    many = match_in_order(seen(10), [ANN, BEN, CLEO], "a.png")
    assert [match and match.person for match in many.matches] == [ANN]
    assert many.notes == (
        "No network tells people apart, so the order of the references decides: the face is taken for ann.jpg; ben.jpg "
        "and cleo.jpg are not used. Look whether it is right.",
    )


def test_the_face_that_somebody_marked_gets_all_references_unless_they_are_named() -> None:
    marked = match_in_order(seen(10), [ANN, BEN], "a.png", marked=True)
    assert marked.notes == ()
    assert marked.matches[0] is not None
    assert set(marked.matches[0].photos) == {*ANN.photos, *BEN.photos}
    named = [person("1.jpg", "anna"), person("2.jpg", "otto")]
    matching = match_in_order(seen(10), named, "a.png", marked=True)
    assert [match and match.person for match in matching.matches] == named[:1]
    assert "otto is not used" in matching.notes[0]


def test_no_face() -> None:
    with pytest.raises(UnusedReferencesError, match=r"^No face was found in a\.png, so .* no use\.$"):
        match_in_order(seen(), [ANN], "a.png")
    assert match_in_order(seen(), [ANN], "a.png", force=True).matches == ()
