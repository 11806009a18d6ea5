"""Which photographs there are, and whose they are by their folders."""

from pathlib import Path

import pytest
from PIL import Image

from headsup.restoring.jobs import plan_request
from headsup.restoring.references.reference_files import ReferenceFile, reference_files


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """Two people in folders of their own, one photograph without, and what is none of them."""
    for name in ("anna/b.jpg", "anna/a.jpg", "anna/young/c.png", "otto/a.jpg", "loose.jpg", ".hidden/d.jpg"):
        path = tmp_path / "family" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    (tmp_path / "family/otto/note.txt").touch()
    return tmp_path / "family"


def test_a_folder_in_a_folder_is_a_person(family: Path) -> None:
    found = [(file.path.relative_to(family).as_posix(), file.person) for file in reference_files([family])]
    assert found == [
        ("loose.jpg", None),
        ("anna/a.jpg", "anna"),
        ("anna/b.jpg", "anna"),
        ("anna/young/c.png", "anna"),
        ("otto/a.jpg", "otto"),
    ]


def test_a_flat_folder_and_a_file_name_nobody(family: Path) -> None:
    anna, loose = family / "anna", family / "loose.jpg"
    # the folder in it is a person; what is in it itself is told by the faces
    assert reference_files([loose, anna]) == [
        ReferenceFile(loose, loose),
        ReferenceFile(anna / "a.jpg", anna),
        ReferenceFile(anna / "b.jpg", anna),
        ReferenceFile(anna / "young/c.png", anna, "young"),
    ]


def test_a_photograph_that_is_given_twice_counts_once_and_keeps_its_name(family: Path) -> None:
    single = family / "otto/a.jpg"
    for paths in ([single, family], [family, single]):
        found = reference_files(paths)
        assert [file.person for file in found if file.path == single] == ["otto"]
        assert len(found) == 5


def test_what_is_in_the_folders_of_people_is_never_replaced_and_the_rest_is_told(
    family: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = family / "loose.jpg"
    with pytest.raises(ValueError, match=r"otto/a\.jpg is an input and would be replaced"):
        plan_request([source], family / "otto/a.jpg", references=[family])
    plan_request([source], family.parent / "o.png", references=[family])
    assert capsys.readouterr().err == f"{family}: left out are 1 file that by its name is no picture, note.txt.\n"
    (family.parent / "empty/nobody").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"There are no pictures in .*empty"):
        plan_request([source], family.parent / "o.png", references=[family.parent / "empty"])


@pytest.mark.parametrize("places", [("family/restored", None), ("out", "family/sheets"), ("family/link", None)])
def test_results_and_sheets_among_the_references_are_refused(family: Path, places: tuple[str, str | None]) -> None:
    (family / "anna").rename(family.parent / "album")
    (family / "inner").mkdir()
    (family / "link").symlink_to(family / "inner")
    output, sheets = (None if place is None else family.parent / place for place in places)
    assert output is not None
    with pytest.raises(ValueError, match=r"would lie in a folder of references and be taken for one of them"):
        plan_request([family.parent / "album"], output, sheets, references=[family])
    # a photograph that is given itself brings nothing else of its folder
    plan_request([family.parent / "album"], output, sheets, references=[family / "loose.jpg"])
