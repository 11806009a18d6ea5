from pathlib import Path

import pytest

from portraitdata.scoring.pairing import common_suffix, pair_folders


@pytest.fixture
def folders(tmp_path):
    """Makes files in two folders; what is in them does not matter to names."""

    def make(restored, target, **others):
        made = {}
        for folder, names in {"restored": restored, "target": target, **others}.items():
            made[folder] = tmp_path / folder
            made[folder].mkdir()
            for name in names:
                path = made[folder] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"")
        return made

    return make


def names_of(pairing):
    return [pair.name for pair in pairing.pairs]


def test_pairs_by_name_whatever_the_suffix_and_at_every_depth(folders):
    made = folders(["b.png", "deep/er/a.PNG"], ["deep/er/a.jpg", "b.webp", "note.txt", ".hidden.png", ".git/b.png"])
    found = pair_folders(made["restored"], made["target"])
    assert names_of(found) == ["b", "deep/er/a"]
    assert found.pairs[1].restored == made["restored"] / "deep/er/a.PNG"
    assert found.pairs[1].target == made["target"] / "deep/er/a.jpg"
    assert found.problems == ()


def test_names_with_dots_keep_them(folders):
    made = folders(["a.v1.png", "a.v2.png"], ["a.v1.jpg", "a.v2.jpg"])
    assert names_of(pair_folders(made["restored"], made["target"])) == ["a.v1", "a.v2"]


def test_a_name_in_another_folder_is_another_name(folders):
    made = folders(["x/a.png", "b.png"], ["y/a.png", "b.png"])
    found = pair_folders(made["restored"], made["target"])
    assert names_of(found) == ["b"]
    assert found.problems == (
        f"{made['restored']} has no restored image for 1 name: y/a.",
        f"{made['target']} has no target for 1 name: x/a.",
    )


def test_many_missing_partners_are_counted(folders):
    made = folders(["0.png"], [f"{number}.png" for number in range(9)])
    (problem,) = pair_folders(made["restored"], made["target"]).problems
    assert problem.endswith("has no restored image for 8 names: 1, 2, 3, 4, 5 and 3 more.")


def test_a_name_that_is_there_twice_is_left_out_and_said(folders):
    made = folders(["a.png", "a.jpg", "b.png"], ["a.png", "b.png"])
    found = pair_folders(made["restored"], made["target"])
    assert names_of(found) == ["b"]
    assert found.problems[0] == (
        f"{made['restored']} has a.jpg and a.png, which have one name; keep one of them. a is left out."
    )


def test_a_suffix_is_named_and_never_guessed(folders):
    made = folders(["a_out.png", "b_out.png", "stray.png"], ["a.png", "b.png"])
    with pytest.raises(ValueError, match=r'If "_out" is what .* give --restored-suffix _out\.'):
        pair_folders(made["restored"], made["target"])
    assert names_of(pair_folders(made["restored"], made["target"], restored_suffix="_out")) == ["a", "b"]


def test_unrelated_names_suggest_nothing():
    assert common_suffix(["x", "y"], ["a", "b"]) == ""
    assert common_suffix(["a1", "x", "y"], ["a"]) == ""


def test_references_and_masks_of_the_name_come_along(folders):
    made = folders(["a.png", "b.png"], ["a.png", "b.png"], references=["b.jpg"], masks=["a.png", "z.png"])
    first, second = pair_folders(
        made["restored"], made["target"], references=made["references"], masks=made["masks"]
    ).pairs
    assert (first.reference, first.mask) == (None, made["masks"] / "a.png")
    assert (second.reference, second.mask) == (made["references"] / "b.jpg", None)


def test_nothing_to_pair_is_a_sentence(folders):
    made = folders(["note.txt"], ["a.png"])
    with pytest.raises(ValueError, match=r"There are no pictures to pair in .*restored\."):
        pair_folders(made["restored"], made["target"])
    with pytest.raises(FileNotFoundError, match="There is no folder nowhere"):
        pair_folders(made["restored"], Path("nowhere"))
