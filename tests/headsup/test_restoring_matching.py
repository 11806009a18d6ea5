"""Faces, people and who is who."""

import itertools
import math
import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from headsup.restoring.references.assignment import best_assignment
from headsup.restoring.references.face_recognition import EmbeddedFaces, boxed_face
from headsup.restoring.references.grouping import group_people
from headsup.restoring.references.left_over import LeftOver
from headsup.restoring.references.matching import (
    match_people,
    note_on_input_itself,
    only_largest,
    reference_faces,
    rival,
)
from headsup.restoring.references.people_summary import notes_on_unused
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import ADVICE, UnusedReferencesError, with_cli_advice
from headsup.restoring.references.reference_photo import ReferencePhoto, aligned_landmarks

TEMPLATE = FFHQ_512.tensor().float()


def photo(name: str, embedding: Tensor, eyes: float = 126.0, pose: Tensor = TEMPLATE) -> ReferencePhoto:
    face = torch.full((3, 512, 512), hash(name) % 7 * 36, dtype=torch.uint8)
    return ReferencePhoto(Path(name), f"digest of {name}", (60, 40), face, pose, eyes, F.normalize(embedding, dim=0))


def axis(number: int) -> Tensor:
    return torch.eye(6)[number]


def seen(*embeddings: Tensor) -> EmbeddedFaces:
    count = len(embeddings)
    boxes = torch.tensor([[100.0 * k, 0.0, 100.0 * k + 60, 80.0] for k in range(count)]).reshape(count, 4)
    points = TEMPLATE / 8 + torch.arange(count).reshape(-1, 1, 1) * 100.0
    faces = Faces(torch.zeros(count, dtype=torch.long), boxes, points.reshape(count, 5, 2), torch.ones(count))
    vectors = torch.stack(embeddings) if embeddings else torch.zeros(0, 6)
    return EmbeddedFaces(faces, F.normalize(vectors, dim=1))


ANN, BEN, CLEO = (Person((photo(f"{name}.jpg", axis(k)),)) for k, name in enumerate(("ann", "ben", "cleo")))


def test_the_best_assignment_is_that_of_a_search_through_all() -> None:
    draw = random.Random(0)
    for _ in range(300):
        rows, columns = draw.randint(0, 4), draw.randint(1, 4)
        worth = [[draw.choice([0.0, -0.3, 0.5, draw.random()]) for _ in range(columns)] for _ in range(rows)]
        chosen = best_assignment(worth)
        made = [(row, column) for row, column in enumerate(chosen) if column is not None]
        assert len({column for _, column in made}) == len(made)
        assert all(worth[row][column] > 0 for row, column in made)
        orders = itertools.permutations(range(columns + rows), rows)
        best = max(sum(max(worth[r][c], 0) for r, c in enumerate(order) if c < columns) for order in orders)
        assert math.isclose(sum(worth[row][column] for row, column in made), best, abs_tol=1e-9)


def test_faces_and_people_are_matched_one_to_one_by_the_largest_sum() -> None:
    # both faces are most like Ann; the greedy choice, face 1 to her, would leave Ben to a face unlike him
    faces = seen(0.6 * axis(0) + 0.55 * axis(1) + axis(5), 0.7 * axis(0) + axis(5))
    for people in ([ANN, BEN], [BEN, ANN]):
        matching = match_people(faces, people, "a.png")
        assert [match.person.name for match in matching.matches if match] == ["ben.jpg", "ann.jpg"]
    assert matching.matches[1] is not None
    assert math.isclose(matching.matches[1].similarity, 0.7 / math.hypot(0.7, 1), rel_tol=1e-5)


def test_a_face_of_nobody_gets_none_and_a_person_who_is_not_there_is_named() -> None:
    matching = match_people(seen(axis(4), axis(0)), [ANN, BEN], "a.png")
    assert matching.matches[0] is None
    assert matching.matches[1] is not None
    assert matching.matches[1].person is ANN
    assert matching.notes == ()
    assert matching.unused == (LeftOver("ben.jpg", 0.0, None),)
    assert notes_on_unused(matching.unused) == ["No face is like ben.jpg (0.00), so it is not used; 0.20 is wanted."]
    given = reference_faces(seen(axis(4), axis(0)), matching)
    assert given.boxes.tolist() == [[100.0, 0.0, 160.0, 80.0]]
    assert torch.equal(given.references[0], ANN.photos[0].face)


def test_a_stranger_is_refused_unless_forced() -> None:
    with pytest.raises(UnusedReferencesError) as caught:
        match_people(seen(0.1 * axis(0) + 0.995 * axis(4)), [ANN], "a.png")
    # what is wrong, in words that hold on the command line and on the page
    assert str(caught.value) == (
        "The face in a.png is not like ann.jpg: the similarity is 0.10 at best, 0.20 is wanted. Either it is somebody "
        "else, or too little is left of the face to tell."
    )
    assert caught.value.reason == "strangers"
    with pytest.raises(UnusedReferencesError, match=r"None of the 2 faces in a.png is like any of the 2 people"):
        match_people(seen(axis(4), axis(5)), [ANN, BEN], "a.png")
    forced = match_people(seen(axis(4), 0.1 * axis(0) + axis(5)), [ANN], "a.png", force=True)
    assert [match is not None for match in forced.matches] == [False, True]
    assert forced.notes == ("Face 2 at (130, 40) is taken for ann.jpg (similarity 0.10) because you said so.",)
    against = match_people(seen(-axis(0)), [ANN], "a.png", force=True)
    assert against.matches[0] is not None
    assert against.matches[0].similarity == -1


def test_a_doubtful_match_is_said() -> None:
    doubtful = match_people(seen(0.25 * axis(0) + math.sqrt(1 - 0.25**2) * axis(4)), [ANN], "a.png")
    assert doubtful.notes == (
        "The face is taken for ann.jpg (similarity 0.25), which a stranger reaches now and then: look whether it is "
        "right.",
    )
    assert match_people(seen(0.5 * axis(0) + axis(4)), [ANN], "a.png").notes == ()


def test_no_face() -> None:
    with pytest.raises(UnusedReferencesError, match=r"^No face was found in a\.png, so .* no use\.$") as caught:
        match_people(seen(), [ANN], "a.png")
    assert caught.value.reason == "no face"
    forced = match_people(seen(), [ANN], "a.png", force=True)
    assert forced.matches == ()
    assert len(reference_faces(seen(), forced)) == 0


@pytest.mark.parametrize("reason", ADVICE)
def test_the_command_line_adds_what_to_do(reason: str) -> None:
    with pytest.raises(UnusedReferencesError) as caught, with_cli_advice():
        raise UnusedReferencesError("It is no use.", reason)
    assert str(caught.value) == f"It is no use. {ADVICE[reason]}"
    assert "--reference" in ADVICE[reason]
    assert caught.value.reason == reason


def test_a_person_whose_face_is_given_to_another_is_named() -> None:
    face = seen(0.8 * axis(0) + 0.5 * axis(1))
    for force in (False, True):
        (unused,) = match_people(face, [ANN, BEN], "a.png", force).unused
        assert (unused.person, unused.taken_for) == ("ben.jpg", "ann.jpg")
        assert math.isclose(unused.similarity, 0.5 / math.hypot(0.8, 0.5), rel_tol=1e-5)
        sentence = "ben.jpg (0.53) is not used: the face most like it is taken for ann.jpg."
        assert notes_on_unused([unused]) == [sentence]


def test_of_many_people_with_one_face_one_sentence_is_said() -> None:
    others = [Person((photo(f"{number}.jpg", 0.5 * axis(0) + axis(number % 4 + 2)),)) for number in range(15)]
    for force in (False, True):
        matching = match_people(seen(axis(0)), [ANN, *others], "a.png", force)
        assert matching.notes == ()
        (note,) = notes_on_unused(matching.unused)
        assert note.startswith("0.jpg (0.45), 1.jpg (0.45), 2.jpg (0.45)")
        assert note.endswith("14.jpg (0.45) are not used: the face most like them is taken for ann.jpg.")


def test_two_people_nearly_as_alike_are_said() -> None:
    matching = match_people(seen(0.7 * axis(0) + 0.65 * axis(1) + 0.3 * axis(5)), [ANN, BEN], "a.png")
    assert (
        "The face is taken for ann.jpg (similarity 0.70), but it is nearly as much like ben.jpg (0.65)"
        in (matching.notes[0])
    )
    clear = match_people(seen(0.7 * axis(0) + 0.4 * axis(1) + 0.59 * axis(5)), [ANN, BEN], "a.png")
    assert not any("nearly" in note for note in clear.notes)


def test_two_faces_nearly_as_alike_are_said() -> None:
    twins = seen(0.70 * axis(0) + 0.7 * axis(4), 0.75 * axis(0) + 0.7 * axis(5))
    notes = match_people(twins, [ANN], "a.png").notes
    assert "Face 2 at (130, 40) is taken for ann.jpg" in notes[0]
    assert "but face 1 at (30, 40) is nearly as much like ann.jpg" in notes[0]


def test_the_lead_counts_what_the_others_would_lose() -> None:
    # 0.9 + 0.8 with the match; without it the faces change their people: 0.7 + 0.3
    lead, other = rival(torch.tensor([[0.9, 0.7], [0.3, 0.8]]), 0, 0)
    assert math.isclose(lead, 0.7, rel_tol=1e-6)
    assert other == (0, 1)
    # the other person is taken for good: without the match the face would stay alone
    lead, other = rival(torch.tensor([[0.5, 0.45], [-0.1, 0.9]]), 0, 0)
    assert math.isclose(lead, 0.5, rel_tol=1e-6)
    assert other is None


def test_photographs_of_one_person_are_grouped_whatever_their_order() -> None:
    # Ann three times, a and c unlike each other but for b between them; Ben once
    a, b, c = (torch.tensor([math.cos(t), math.sin(t), 0.0, 0.0, 0.0, 0.0]) for t in (0.0, 0.5, 1.0))
    named = {"a": a, "b": b, "c": c, "d": axis(3)}
    for order in itertools.permutations(named):
        people = group_people([photo(name, named[name]) for name in order], bound=0.6)
        groups = {frozenset(picture.path.name for picture in person.photos) for person in people}
        assert groups == {frozenset("abc"), frozenset("d")}
    # the mean of cos 0.5 and cos 1 is 0.709: above that threshold the third stays alone
    assert len(group_people([photo(name, named[name]) for name in "abc"], bound=0.75)) == 2
    person = group_people([photo(name, named[name]) for name in "abc"], bound=0.6)[0]
    assert person.name == "a and 2 more"
    torch.testing.assert_close(person.embedding, b)


def test_the_best_photograph_by_resolution_and_pose() -> None:
    turned = TEMPLATE.clone()
    turned[2, 0] += 60  # the nose to the right
    small, large, aside = photo("s", axis(0), 40.0), photo("l", axis(0), 90.0), photo("t", axis(0), 126.0, turned)
    person = Person((small, aside, large))
    frontal = TEMPLATE * 0.3 + 17
    assert person.best_for(frontal)[0] is large
    assert person.best_for(turned * 0.3 + 17)[0] is aside
    # more than an aligned face holds is no merit
    assert photo("x", axis(0), 500.0).unfitness(TEMPLATE) == photo("y", axis(0), 126.0).unfitness(TEMPLATE) == 0
    assert math.isclose(photo("z", axis(0), FFHQ_512.eye_distance() / 4).unfitness(TEMPLATE), 2, rel_tol=1e-5)


def test_the_pose_forgets_place_size_and_tilt() -> None:
    angle = torch.tensor(0.4)
    turn = torch.stack((torch.stack((angle.cos(), -angle.sin())), torch.stack((angle.sin(), angle.cos()))))
    torch.testing.assert_close(aligned_landmarks(TEMPLATE @ turn.T * 0.2 + 9), TEMPLATE, atol=1e-2, rtol=0)


def test_the_picture_itself_as_a_reference_is_said() -> None:
    match = match_people(seen(axis(0)), [ANN], "a.png").matches[0]
    assert match is not None
    assert note_on_input_itself(match, "another", (61, 40)) is None
    for digest, size in (("digest of ann.jpg", (1, 1)), ("another", (60, 40))):
        assert "The reference ann.jpg is the picture itself" in (note_on_input_itself(match, digest, size) or "")


def test_one_reference_for_weights_that_take_one() -> None:
    matching = match_people(seen(axis(4), axis(0), axis(1)), [ANN, BEN], "a.png")
    kept = only_largest(matching)
    assert [match is not None for match in kept.matches] == [False, True, False]
    assert "that of the largest face is used alone" in kept.notes[-1]
    assert only_largest(kept) is kept


def test_a_box_alone() -> None:
    face = boxed_face((10.0, 20.0, 50.0, 80.0), 100, 60)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks[0].tolist()
    assert 10 < left_eye[0] < nose[0] < right_eye[0] < 50
    assert left_eye[1] < nose[1] < left_mouth[1] < 80
    assert right_mouth[0] - left_mouth[0] > 10
    beside = ((60.0, 20.0, 90.0, 80.0), (-9.0, 20.0, 0.0, 80.0), (10.0, -9.0, 50.0, -1.0))
    for box in ((50.0, 20.0, 10.0, 80.0), *beside, (math.nan, 20.0, 50.0, 80.0), (10.0, 20.0, math.inf, 80.0)):
        with pytest.raises(ValueError, match="within the 60 x 100 pixels of the picture"):
            boxed_face(box, 100, 60)


def test_a_box_that_reaches_beyond_the_picture() -> None:
    face = boxed_face((-20.0, -5.0, 40.0, 70.0), 50, 60)
    assert face.boxes.tolist() == [[0, 0, 40, 50]]
    # the features are those of the whole face
    shifted = boxed_face((0.0, 0.0, 60.0, 75.0), 100, 100).landmarks - torch.tensor([20.0, 5.0])
    torch.testing.assert_close(face.landmarks, shifted)


def test_convention_faces_of_a_copy_resized_differently_along_its_sides() -> None:
    face = Faces(torch.tensor([0]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.ones(1, 5, 2), torch.ones(1))
    got = face.rescaled(2.0, 3.0)
    assert got.boxes.tolist() == [[2.5, 7.0, 6.5, 13.0]]
    assert got.landmarks[0, 0].tolist() == [2.5, 4.0]
