import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portraitdata.exemplars.splits import read_split, split_identities

COUNTS = {f"person {number}": 1 + number % 7 for number in range(200)}
ENOUGH = [identity for identity, count in COUNTS.items() if count >= 4]


def members(split_of: dict, split: str) -> set[str]:
    return {identity for identity, name in split_of.items() if name == split}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.permutations(list(COUNTS)), st.integers(0, 5), st.integers(1, 50))
def test_independent_of_order_and_complete(order, seed, test):
    split_of = split_identities(COUNTS, test=test, seed=seed)
    assert split_identities({identity: COUNTS[identity] for identity in order}, test=test, seed=seed) == split_of
    assert len(members(split_of, "test")) == test
    assert members(split_of, "test") | members(split_of, "train") == set(ENOUGH)
    assert split_of.keys() == COUNTS.keys()


def test_seed_changes_the_draw_and_newcomers_hardly_do():
    first, other = split_identities(COUNTS, test=20, seed=0), split_identities(COUNTS, test=20, seed=1)
    assert len(members(first, "test") & members(other, "test")) < 12
    more = split_identities(COUNTS | {"newcomer": 9}, test=20, seed=0)
    assert len(members(first, "test") & members(more, "test")) >= 19


def test_fraction_and_rest():
    split_of = split_identities(COUNTS, test=0.25, train=10)
    assert len(members(split_of, "test")) == round(len(ENOUGH) / 4)
    assert len(members(split_of, "train")) == 10
    assert len(members(split_of, "unused")) == len(COUNTS) - 10 - round(len(ENOUGH) / 4)


def test_the_paper_leaves_thirty_out():
    split_of = split_identities({str(number): 4 for number in range(2917)}, test=287, train=2600)
    assert [len(members(split_of, name)) for name in ("train", "test", "unused")] == [2600, 287, 30]


def test_known_draw():
    # Fixed for good: a published index must be reproducible.
    assert members(split_identities({name: 4 for name in "abcdefgh"}, test=2, seed=0), "test") == {"f", "h"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": 500}, r"500 test identities leave none to train on: \d+ of 200 identities have at least 4"),
        ({"test": 1, "train": 500}, "500 training and 1 test identities were wanted"),
        ({"test": 1, "min_images": 99}, "0 of 200 identities have at least 99 photographs"),
    ],
)
def test_too_few(options, message):
    with pytest.raises(ValueError, match=message):
        split_identities(COUNTS, **options)


def test_split_file(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("file,identity,split\na.jpg,ada,train\nb.jpg,ada,train\nc.jpg,ben,test\n")
    assert read_split(path) == {"ada": "train", "ben": "test"}
    path.write_text("identity,split\nada,train\nada,test\n")
    with pytest.raises(ValueError, match="has ada in both 'train' and 'test'"):
        read_split(path)
    path.write_text("identity,split\nada,dev\n")
    with pytest.raises(ValueError, match=r"The split of ada in .*split\.csv is 'dev'"):
        read_split(path)
    path.write_text("name\nada\n")
    with pytest.raises(ValueError, match=r"needs the columns identity and split, it has \['name'\]"):
        read_split(path)
    with pytest.raises(FileNotFoundError, match="There is no split file"):
        read_split(tmp_path / "absent.csv")


def test_a_split_from_a_spreadsheet_has_a_byte_order_mark(tmp_path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("\ufeffidentity,split\r\nada,test\r\n", encoding="utf-8")
    assert read_split(path) == {"ada": "test"}


def test_one_is_tested_at_least_and_one_trained_at_least():
    counts = dict.fromkeys(["ada", "ben", "cyd"], 9)
    assert sorted(split_identities(counts, test=0.1).values()) == ["test", "train", "train"]
    assert sorted(split_identities(counts, test=2).values()) == ["test", "test", "train"]
    with pytest.raises(ValueError, match="3 test identities leave none to train on: 3 of 3"):
        split_identities(counts, test=3)
