"""Whom references show, and what is said of them once."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture, decode_picture, save_picture
from headsup.restoring.references.distinct_names import distinctly_named
from headsup.restoring.references.face_recognition import FaceRecognition
from headsup.restoring.references.grouping import TOGETHER, people_among
from headsup.restoring.references.left_over import LeftOver
from headsup.restoring.references.people_notes import notes_on_people, notes_on_photographs
from headsup.restoring.references.people_summary import lines_on_people, lines_on_use
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_files import ReferenceFile
from headsup.restoring.references.reference_photo import ReferencePhoto, reference_photo

THRESHOLD = 0.337
Found = tuple[ReferenceFile, ReferencePhoto]


def photo(path: Path, embedding: Tensor | None) -> ReferencePhoto:
    vector = None if embedding is None else F.normalize(embedding, dim=0)
    return ReferencePhoto(path, "", (60, 40), torch.zeros(3, 512, 512).byte(), FFHQ_512.tensor().float(), 126.0, vector)


def found(name: str, embedding: Tensor | None, person: str | None = None, folder: str | None = None) -> Found:
    path = Path("family") / name
    given = path if folder is None and person is None else Path(folder or "family")
    return ReferenceFile(path, given, person), photo(path, embedding)


def at(degrees: float) -> Tensor:
    """Two of these have the cosine of the angle between them as similarity."""
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack((angle.cos(), angle.sin()))


def names(people: list[Person]) -> list[tuple[str, list[str]]]:
    return [(person.name, [photo.path.name for photo in person.photos]) for person in people]


def test_of_each_photograph_a_byte_for_a_sample_is_kept(tmp_path: Path) -> None:
    points = FFHQ_512.tensor().float()[None] / 4
    face = Faces(torch.tensor([0]), torch.tensor([[20.0, 20.0, 110.0, 120.0]]), points, torch.ones(1))
    pixels = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    save_picture(Picture(pixels, bits=16), tmp_path / "ann.png")
    data = (tmp_path / "ann.png").read_bytes()
    # enlarged for the detector, as small photographs are
    recognition = FaceRecognition(lambda images: face.rescaled(images.shape[-1] / 128), None, THRESHOLD)
    photo, count = reference_photo(tmp_path / "ann.png", data, recognition)
    assert photo is not None
    assert count == 1
    assert photo.crop.nbytes == 3 * 512 * 512
    (exact,) = align(decode_picture(data, "ann.png").pixels[None], face).crops
    torch.testing.assert_close(photo.face, exact, rtol=0, atol=0.51 / 255)


def test_two_people_of_similarity_042_are_not_joined_and_that_is_said() -> None:
    people = people_among([found("ann.jpg", at(0)), found("eve.jpg", at(65.17))])
    assert names(people) == [("ann.jpg", ["ann.jpg"]), ("eve.jpg", ["eve.jpg"])]
    assert notes_on_people(people, THRESHOLD) == [
        "Alike, but taken for different people: ann.jpg with eve.jpg (0.42). A folder with a person's name joins the "
        "photographs in it."
    ]
    assert notes_on_people(people_among([found("ann.jpg", at(0)), found("ben.jpg", at(75))]), THRESHOLD) == []
    joined = people_among([found("ann.jpg", at(0)), found("b.jpg", torch.tensor([TOGETHER + 0.01, 0.86]))])
    assert names(joined) == [("ann.jpg and b.jpg", ["ann.jpg", "b.jpg"])]


def test_folders_name_people_and_neither_looks_nor_strangers_change_that() -> None:
    people = people_among(
        [
            found("otto/1.jpg", at(0), "otto"),
            found("x.jpg", at(3)),
            found("anna/1.jpg", at(1), "anna"),
            found("anna/2.jpg", at(80), "anna"),
            found("y.jpg", at(5)),
        ]
    )
    assert names(people) == [
        ("otto", ["1.jpg"]),
        ("x.jpg and y.jpg", ["x.jpg", "y.jpg"]),
        ("anna", ["1.jpg", "2.jpg"]),
    ]
    alike, unlike = notes_on_people(people, THRESHOLD)
    # otto and anna are alike too, but both are named
    assert alike.startswith("Alike, but taken for different people: otto with x.jpg and y.jpg (1.00); x.jpg and y.jpg ")
    assert unlike == (
        "In the folder anna, 1.jpg and 2.jpg are unlike the other photographs: look whether the largest face is that "
        "person's."
    )


def test_without_embeddings_a_folder_and_a_single_photograph_are_a_person_each() -> None:
    people = people_among(
        [
            found("b.jpg", None),
            found("x.jpg", None, folder="ben"),
            found("anna/1.jpg", None, "anna"),
            found("y.jpg", None, folder="ben"),
            found("c.jpg", None),
        ]
    )
    assert names(people) == [
        ("b.jpg", ["b.jpg"]),
        ("ben", ["x.jpg", "y.jpg"]),
        ("anna", ["1.jpg"]),
        ("c.jpg", ["c.jpg"]),
    ]
    assert notes_on_people(people, THRESHOLD) == []


def test_the_pairs_in_doubt_are_one_sentence() -> None:
    vectors = torch.eye(8) + 0.25  # each two have the similarity 1 / 1.5 of what they share; all are alike
    people = [Person((photo(Path(f"{number}.jpg"), vector),)) for number, vector in enumerate(vectors)]
    (note,) = notes_on_people(people, THRESHOLD)
    assert note.count(".jpg with ") == 5
    assert "; and 23 more pairs." in note


def test_what_is_said_of_photographs_is_said_once() -> None:
    counts = {Path("a.jpg"): 0, Path("b.jpg"): 2, Path("c.jpg"): 0, Path("d.jpg"): 3, Path("e.jpg"): 1}
    assert notes_on_photographs(counts) == [
        "No face was found in a.jpg and c.jpg, so they are not used.",
        "There are several faces in b.jpg and d.jpg; of each the largest is taken.",
    ]
    assert notes_on_photographs({Path("b.jpg"): 2}) == ["Of the 2 faces in b.jpg the largest is taken."]


@pytest.fixture
def people() -> list[Person]:
    return people_among(
        [
            found("anna/1.jpg", at(0), "anna"),
            found("anna/2.jpg", at(5), "anna"),
            found("x.jpg", at(90)),
            found("y.jpg", at(93)),
            found("z.jpg", at(180)),
        ]
    )


def test_the_summary_names_all_that_are_taken_together(people: list[Person]) -> None:
    assert lines_on_people(people) == [
        "The references show 3 people:",
        "  anna: 2 photographs",
        "  x.jpg and y.jpg, taken together",
        "  z.jpg",
    ]
    assert lines_on_people(people[:1]) == ["The references show 1 person:", "  anna: 2 photographs"]
    assert lines_on_people(people[2:]) == []  # one photograph


def test_the_summary_says_what_was_used_and_who_was_nowhere(people: list[Person]) -> None:
    used = [
        {"anna": ["family/anna/1.jpg"]},
        {"anna": ["family/anna/2.jpg", "family/anna/1.jpg"]},
        {"z.jpg": ["family/z.jpg"]},
    ]
    unused = [
        [LeftOver("z.jpg", 0.1, None), LeftOver("x.jpg and y.jpg", 0.02, None)],
        [LeftOver("z.jpg", 0.05, None), LeftOver("x.jpg and y.jpg", 0.11, None)],
        [LeftOver("anna", 0.0, None), LeftOver("x.jpg and y.jpg", 0.10, "anna")],
    ]
    assert lines_on_use(people, used, unused) == [
        "Used:",
        "  anna, in 2 of 3 pictures: 1.jpg and 2.jpg",
        "  z.jpg, in 1 of 3 pictures",
        "No face is like x.jpg and y.jpg (0.11), so it is not used; 0.20 is wanted.",
    ]
    assert lines_on_use(people[2:], used[2:], unused[2:]) == []


def test_two_people_of_one_name_are_told_apart_by_their_photographs() -> None:
    people = people_among([found("one/a.jpg", at(0)), found("two/a.jpg", at(90)), found("b.jpg", at(180))])
    used = [{"a.jpg": ["family/one/a.jpg", "family/two/a.jpg"]}, {"a.jpg": ["family/two/a.jpg"]}]
    assert lines_on_use(people, used, []) == ["Used:", "  a.jpg, in 1 of 2 pictures", "  a.jpg, in 2 of 2 pictures"]


def test_people_of_one_name_get_names_of_their_own() -> None:
    def told(*files: Found, by_folder: bool = True) -> list[str]:
        return [person.name for person in distinctly_named(people_among(files), by_folder)]

    anna, otto = found("anna/p.jpg", at(0)), found("otto/p.jpg", at(90))
    assert told(anna, found("b.jpg", at(180)), otto) == ["anna/p.jpg", "b.jpg", "otto/p.jpg"]
    assert told(anna, otto, by_folder=False) == ["p.jpg (1)", "p.jpg (2)"]
    assert told(found("one/fam/p.jpg", at(0)), found("two/fam/p.jpg", at(90))) == ["p.jpg (1)", "p.jpg (2)"]
    folders = (found(f"{place}/fam/p.jpg", None, folder=f"{place}/fam") for place in ("one", "two"))
    assert told(*folders) == ["fam (1)", "fam (2)"]


def test_the_summary_tells_people_of_one_name_apart() -> None:
    files = [found(f"{folder}/{name}.jpg", at(angle)) for folder, angle in (("a", 0), ("b", 90)) for name in "xy"]
    both = [*files, found("a/p.jpg", at(180)), found("b/p.jpg", at(270))]
    people = distinctly_named(people_among(both), by_folder=True)
    assert lines_on_people(people)[1:] == [
        "  a/x.jpg and y.jpg: x.jpg and y.jpg, taken together",
        "  b/x.jpg and y.jpg: x.jpg and y.jpg, taken together",
        "  a/p.jpg",
        "  b/p.jpg",
    ]
    used = [{"a/x.jpg and y.jpg": ["family/a/x.jpg"], "a/p.jpg": ["family/a/p.jpg"]}]
    unused = [[LeftOver("b/x.jpg and y.jpg", 0.1, None), LeftOver("b/p.jpg", 0.05, None)]]
    assert lines_on_use(people, used, unused) == [
        "Used:",
        "  a/x.jpg and y.jpg: x.jpg",
        "  a/p.jpg",
        "No face is like b/x.jpg and y.jpg (0.10) and b/p.jpg (0.05), so they are not used; 0.20 is wanted.",
    ]
