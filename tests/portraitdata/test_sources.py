import io
import os
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from portraitdata.exemplars.index import identity_counts
from portraitdata.exemplars.sources.celebamask_hq import scan_celebamask_hq
from portraitdata.exemplars.sources.folders import scan_folders
from portraitdata.exemplars.sources.layouts import assign_splits, recognised_layout, scan_layout
from portraitdata.exemplars.sources.tars import scan_tars
from portraitdata.restoration.index.picture_files import find_picture_files


def jpeg(width: int = 80, height: int = 70, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 99, np.uint8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def fill(folder: Path, people: dict[str, int]) -> None:
    for person, count in people.items():
        (folder / person).mkdir(parents=True)
        for number in range(count):
            (folder / person / f"{number}.jpg").write_bytes(jpeg())


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_folders(tmp_path):
    fill(tmp_path, {"Ada Lovelace": 3, "Ben": 2, ".hidden": 1})
    (tmp_path / "Ben" / "turned.jpg").write_bytes(jpeg(orientation=6))
    (tmp_path / "Ben" / "notes.txt").write_text("no photograph")
    found = scan_folders(tmp_path)
    assert identity_counts(found.index.photographs) == {"Ada Lovelace": 3, "Ben": 3}
    assert found.skipped == ()
    assert found.index.source == "folders"
    turned = found.index.by_identity["Ben"][-1]
    assert (turned.path, turned.width, turned.height) == ("Ben/turned.jpg", 70, 80)
    assert turned.size == (tmp_path / "Ben" / "turned.jpg").stat().st_size


def test_unreadable_and_tiny_photographs_are_named(tmp_path):
    fill(tmp_path, {"ada": 2})
    (tmp_path / "ada" / "empty.jpg").touch()
    (tmp_path / "ada" / "text.jpg").write_text("no photograph")
    (tmp_path / "ada" / "tiny.jpg").write_bytes(jpeg(80, 30))
    (tmp_path / "ada" / "cut.jpg").write_bytes(jpeg()[:-300])
    found = scan_folders(tmp_path)
    assert len(found.index.photographs) == 3
    assert {file.path for file in found.skipped} == {"ada/empty.jpg", "ada/text.jpg", "ada/tiny.jpg"}
    assert [file.reason for file in found.skipped if "tiny" in file.path] == [
        "ada/tiny.jpg has 80 x 30 pixels, fewer than 64."
    ]
    verified = scan_folders(tmp_path, verify=True, min_side=20)
    assert {file.path for file in verified.skipped} == {"ada/empty.jpg", "ada/text.jpg", "ada/cut.jpg"}


def test_names_that_are_no_text_are_left_out_and_named(tmp_path, monkeypatch):
    fill(tmp_path, {"ada": 2})
    name = os.fsdecode(b"ada/Zo\xeb.jpg")
    (tmp_path / name).write_bytes(jpeg())
    found = scan_folders(tmp_path)
    assert len(found.index.photographs) == 2
    assert [file.reason for file in found.skipped] == [
        f"{name}: the name is no text in UTF-8, as in an index; rename it."
    ]
    found.index.write(tmp_path / "index.parquet")
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(told, errors="backslashreplace", write_through=True))
    root, files = find_picture_files(tmp_path)
    assert root == tmp_path
    assert [file.path for file in files] == [row.path for row in found.index.photographs]
    assert rb"left out are 1 pictures whose names are no text in UTF-8, as in an index, such as ada/Zo\udceb.jpg;" in (
        told.getvalue()
    )


def test_what_is_in_no_folder_of_a_person_is_said_once(tmp_path, capsys):
    fill(tmp_path, {"ada": 2, "ben": 1})
    assert capsys.readouterr().err == ""
    (tmp_path / "loose.jpg").write_bytes(jpeg())
    (tmp_path / "ada/holiday").mkdir()
    for name in ("ada/notes.txt", ".hidden.jpg", "ben/.hidden.txt"):
        (tmp_path / name).touch()
    assert len(scan_folders(tmp_path).index.photographs) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}: left out are 3 files and folders, such as ada/holiday: only the pictures in the folder of each "
        "person are read."
    ]


def test_folders_without_anybody(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with pytest.raises(ValueError, match="put the photographs of each person into a folder"):
        scan_folders(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        scan_folders(tmp_path / "absent")
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "a.jpg").touch()
    with pytest.raises(
        ValueError, match=r"no usable photograph; 1 files were left out. The first: ada/a\.jpg is empty"
    ):
        scan_folders(tmp_path)


def test_folder_with_a_table(tmp_path):
    fill(tmp_path / "photos", {"shoot 1": 3})
    (tmp_path / "who.csv").write_text(
        "file,identity,split,score\nshoot 1/0.jpg,ada,train,1\nshoot 1/1.jpg,ben,test,1\nshoot 1/9.jpg,ben,test,1\n"
    )
    found = scan_folders(tmp_path / "photos", tmp_path / "who.csv")
    assert [(row.path, row.identity, row.split) for row in found.index.photographs] == [
        ("shoot 1/0.jpg", "ada", "train"),
        ("shoot 1/1.jpg", "ben", "test"),
    ]
    assert [file.reason for file in found.skipped] == [
        "shoot 1/2.jpg is not listed in who.csv.",
        "shoot 1/9.jpg is listed in who.csv but is not there.",
    ]


def test_a_table_that_does_not_say_who_a_file_shows(tmp_path):
    fill(tmp_path / "photos", {"shoot": 6})
    rows = ("0.jpg,ada ,train", "1.jpg, ada,train ", "2.jpg,,train", "3.jpg,  ,", "4.jpg", ",ben,train")
    (tmp_path / "who.csv").write_text("file,identity,split\n" + "\n".join(rows) + "\n")
    found = scan_folders(tmp_path / "photos", tmp_path / "who.csv")
    assert [(row.path, row.identity, row.split) for row in found.index.photographs] == [
        ("shoot/0.jpg", "ada", "train"),
        ("shoot/1.jpg", "ada", "train"),
    ]
    assert [file.reason for file in found.skipped] == [
        "shoot/5.jpg is not listed in who.csv.",
        *(f"shoot/{number}.jpg: nothing says who it shows." for number in (2, 3, 4)),
    ]
    (tmp_path / "who.csv").write_text("file,identity\n" + "".join(f"{number}.jpg,\n" for number in range(6)))
    with pytest.raises(ValueError, match=r"6 files were left out\. The first: shoot/0\.jpg: nothing says who it shows"):
        scan_folders(tmp_path / "photos", tmp_path / "who.csv")


def test_a_name_of_several_files_says_of_none_who_it_shows(tmp_path):
    """Only what a table names by its whole path is that file."""
    fill(tmp_path / "photos", {"x": 3, "y": 3})
    (tmp_path / "photos/y/2.jpg").rename(tmp_path / "photos/y/3.jpg")
    (tmp_path / "photos/4.jpg").write_bytes(jpeg())
    (tmp_path / "photos/y/4.jpg").write_bytes(jpeg())
    rows = ("1.jpg,abdullah", "2.jpg,abdullah", "3.jpg,adrien", "x/0.jpg,ada", "4.jpg,ben")
    (tmp_path / "who.csv").write_text("file,identity\n" + "\n".join(rows) + "\n")
    found = scan_folders(tmp_path / "photos", tmp_path / "who.csv")
    assert sorted((row.path, row.identity) for row in found.index.photographs) == [
        ("4.jpg", "ben"),
        ("x/0.jpg", "ada"),
        ("x/2.jpg", "abdullah"),
        ("y/3.jpg", "adrien"),
    ]
    several = "who.csv lists {}, as several files are called; name their folders there, too."
    assert {file.reason for file in found.skipped} == {
        "y/0.jpg is not listed in who.csv.",
        *(f"{folder}/1.jpg: {several.format('1.jpg')}" for folder in "xy"),
        f"y/4.jpg: {several.format('4.jpg')}",
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name\na\n", r"needs the columns file and identity, it has \['name'\]"),
        ("file,identity\nx.jpg,ada\n", r"None of the files that who\.csv lists is there; the first it lists is x\.jpg"),
        ("file,identity\n0.jpg,ada\n0.jpg,ben\n", r"lists 0\.jpg for two identities or splits"),
        ("file,identity,split\n0.jpg,ada,dev\n", r"The split of 0\.jpg in who\.csv is 'dev'"),
    ],
)
def test_wrong_tables(tmp_path, table, message):
    fill(tmp_path / "photos", {"a": 1})
    (tmp_path / "who.csv").write_text(table)
    with pytest.raises(ValueError, match=message):
        scan_folders(tmp_path / "photos", tmp_path / "who.csv")
    with pytest.raises(FileNotFoundError, match="There is no table of identities"):
        scan_folders(tmp_path / "photos", tmp_path / "absent.csv")


def test_tar_members_are_read_where_they_lie(tmp_path):
    contents = {
        "set/ada/0.jpg": jpeg(90),
        "set/ada/1.jpg": jpeg(100),
        "set/ben/0.jpg": jpeg(110),
        "set/readme.txt": b"x",
    }
    pack(tmp_path / "a.tar", contents | {"._0.jpg": b"x", "set/ben/._0.jpg": b"x", "top.jpg": jpeg()})
    found = scan_tars(tmp_path / "a.tar")
    assert found.index.root == tmp_path
    assert {row.path: row.identity for row in found.index.photographs} == {
        "set/ada/0.jpg": "ada",
        "set/ada/1.jpg": "ada",
        "set/ben/0.jpg": "ben",
    }
    for row in found.index.photographs:
        assert found.index.read_bytes(row) == contents[row.path]
        assert row.width == {"set/ada/0.jpg": 90, "set/ada/1.jpg": 100, "set/ben/0.jpg": 110}[row.path]


def test_several_tars_and_long_names(tmp_path):
    long = "x" * 150
    pack(tmp_path / "a.tar", {"ada/0.jpg": jpeg()})
    pack(tmp_path / "b.tar", {f"{long}/0.jpg": jpeg(), "ada/0.jpg": jpeg()})
    found = scan_tars(tmp_path)
    assert identity_counts(found.index.photographs) == {"ada": 2, long: 1}
    assert {row.archive for row in found.index.photographs} == {"a.tar", "b.tar"}


def test_tar_with_a_table(tmp_path):
    pack(tmp_path / "a.tar", {"lfw/ada/0.jpg": jpeg(), "lfw/ben/0.jpg": jpeg()})
    (tmp_path / "who.csv").write_text("file,identity\nada/0.jpg,Ada Lovelace\n")
    found = scan_tars(tmp_path / "a.tar", tmp_path / "who.csv")
    assert [(row.identity, row.split) for row in found.index.photographs] == [("Ada Lovelace", "unused")]
    assert [file.path for file in found.skipped] == ["lfw/ben/0.jpg"]


def test_a_header_behind_the_first_bytes_is_found(tmp_path):
    data = jpeg()
    data = data[:2] + (b"\xff\xe3\xff\xff" + bytes(65533)) * 3 + data[2:]
    pack(tmp_path / "a.tar", {"ada/0.jpg": data})
    assert scan_tars(tmp_path / "a.tar").index.photographs[0].width == 80


def test_tars_that_cannot_be_used(tmp_path):
    pack(tmp_path / "a.tar.gz", {"ada/0.jpg": jpeg()}, "w:gz")
    with pytest.raises(ValueError, match="is not an uncompressed tar archive"):
        scan_tars(tmp_path / "a.tar.gz")
    pack(tmp_path / "b.tar", {"0.jpg": jpeg()})
    with pytest.raises(ValueError, match=r"no members of the form identity/photograph\.jpg"):
        scan_tars(tmp_path / "b.tar")
    with pytest.raises(FileNotFoundError, match="There is no tar archive"):
        scan_tars(tmp_path / "absent.tar")


@pytest.fixture
def celeba(tmp_path) -> Path:
    (tmp_path / "CelebA-HQ-img").mkdir()
    lines = ["idx orig_idx orig_file"]
    for number in range(6):
        (tmp_path / "CelebA-HQ-img" / f"{number}.jpg").write_bytes(jpeg())
        lines.append(f"{number}         {119612 + number}      {119613 + number:06d}.jpg")
    lines.append("99 3 000004.jpg")
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")
    who = [f"{119613 + number:06d}.jpg {2880 + number % 2}" for number in range(5)]
    (tmp_path / "identity_CelebA.txt").write_text("\n".join(who) + "\n")
    return tmp_path


def test_celebamask_hq(celeba):
    with pytest.warns(UserWarning, match="CelebAMask-HQ has") as caught:
        found = scan_celebamask_hq(celeba)
    assert [str(warning.message) for warning in caught] == [
        "CelebAMask-HQ has 30,000 images; 5 were found.",
        "CelebAMask-HQ has 6,217 identities; 2 were found.",
        "CelebAMask-HQ has 2,917 identities with at least four images; 0 were found.",
    ]
    assert {row.path: row.identity for row in found.index.photographs} == {
        f"CelebA-HQ-img/{number}.jpg": str(2880 + number % 2) for number in range(5)
    }
    assert [file.reason for file in found.skipped] == [
        "CelebA-HQ-img/5.jpg is 119618.jpg of CelebA, which is not listed in identity_CelebA.txt.",
        "CelebA-HQ-img/99.jpg is listed in CelebA-HQ-to-CelebA-mapping.txt but is not there.",
    ]


def test_celebamask_hq_without_its_tables(celeba):
    (celeba / "identity_CelebA.txt").rename(celeba / "who.txt")
    with pytest.raises(FileNotFoundError, match=r"ask the authors of CelebA for identity_CelebA\.txt"):
        scan_celebamask_hq(celeba)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(scan_celebamask_hq(celeba, celeba / "who.txt").index.photographs) == 5
    (celeba / "who.txt").write_text("one two three\n")
    with pytest.raises(ValueError, match="should have 2 columns; line 1 has another number"):
        scan_celebamask_hq(celeba, celeba / "who.txt")
    (celeba / "who.txt").write_text("a b\n")
    (celeba / "CelebA-HQ-to-CelebA-mapping.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no file .*mapping\.txt"):
        scan_celebamask_hq(celeba, celeba / "who.txt")
    with pytest.raises(FileNotFoundError, match="CelebAMask-HQ must be unpacked in"):
        scan_celebamask_hq(celeba / "absent")


def test_layouts_are_recognised(tmp_path, celeba):
    assert recognised_layout(celeba) == "celebamask-hq"
    fill(tmp_path / "people", {"ada": 1})
    assert recognised_layout(tmp_path / "people") == "folders"
    pack(tmp_path / "people" / "a.tar", {"ada/0.jpg": jpeg()})
    assert recognised_layout(tmp_path / "people") == recognised_layout(tmp_path / "people" / "a.tar") == "tar"
    with pytest.raises(FileNotFoundError, match="There is no folder or archive"):
        recognised_layout(tmp_path / "absent")


def test_splits_drawn_given_and_found(tmp_path):
    fill(tmp_path, {**{f"person {number}": 4 for number in range(20)}, "few": 3})
    index = scan_layout(tmp_path, "folders").index
    drawn = assign_splits(index, seed=5)
    assert (len(drawn.select("test").by_identity), len(drawn.select("train").by_identity)) == (2, 18)
    assert drawn.seed == 5
    assert len(assign_splits(index, test_identities=7).select("test").by_identity) == 7
    given = assign_splits(index, {"person 1": "test", "person 2": "train", "few": "train", "nobody": "test"})
    assert given.seed is None
    assert (list(given.select("test").by_identity), list(given.select("train").by_identity)) == (
        ["person 1"],
        ["person 2"],
    )
    assert assign_splits(given).photographs == given.photographs
    with pytest.raises(
        ValueError, match="The given split leaves nothing: no identity in it has at least 9 photographs"
    ):
        assign_splits(given, min_images=9)


def test_whole_celebamask_hq_is_split_as_in_the_paper():
    from portraitdata.exemplars.index import ExemplarIndex, Photograph

    rows = tuple(
        Photograph(f"{person}/{number}.jpg", None, 0, 1, str(person), "unused", 9, 9)
        for person in range(2917)
        for number in range(4)
    )
    index = assign_splits(ExemplarIndex(Path("x"), rows, "celebamask-hq"))
    assert [len(index.select(name).by_identity) for name in ("train", "test", "unused")] == [2600, 287, 30]
