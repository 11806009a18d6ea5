import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portraitdata.restoration.index import similar_faces as module
from portraitdata.restoration.index.similar_faces import connected, similar_faces, split_people


def test_search_is_exact_in_blocks(monkeypatch):
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(57, 3)).astype(np.float16)
    photograph = np.sort(random.integers(0, 30, 57))
    monkeypatch.setattr(module, "BLOCK", 10)
    found = similar_faces(embeddings, photograph, 0.65)
    rows = embeddings.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = [
        (a, b)
        for a in range(57)
        for b in range(a + 1, 57)
        if rows[a] @ rows[b] > 0.65 and photograph[a] != photograph[b]
    ]
    assert len(wanted) > 100
    assert list(zip(found.a.tolist(), found.b.tolist(), strict=True)) == wanted
    np.testing.assert_allclose(found.cosine, [rows[a] @ rows[b] for a, b in wanted], atol=1e-6)


def test_no_faces():
    assert len(similar_faces(np.zeros((0, 8), np.float16), np.zeros(0, np.int64), 0.5).a) == 0


EDGES = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29), st.floats(0.3, 0.95)), max_size=60)


@settings(deadline=None)
@given(EDGES, st.floats(0, 0.5), st.integers(0, 9))
def test_no_person_is_on_both_sides(edges, share, seed):
    uids = [f"{number:02d}" for number in range(30)]
    split = split_people(uids, edges, share, seed)
    assert split.splits.count("test") <= round(share * 30)
    for a, b, cosine in edges:
        if cosine > split.threshold:
            assert split.splits[a] == split.splits[b]
    assert split.threshold <= 0.65
    assert split_people(uids, edges[::-1], share, seed) == split


def test_test_share_is_met_where_groups_are_small():
    uids = [f"{number:03d}" for number in range(200)]
    edges = [(number, number + 1, 0.8) for number in range(0, 200, 2)]
    splits = [split_people(uids, edges, 0.1, seed).splits for seed in (0, 1)]
    assert [split.count("test") for split in splits] == [20, 20]
    assert splits[0] != splits[1]


def test_a_giant_group_raises_the_threshold():
    """A chain of chance likenesses at 0.5 holds all together; at 0.55 it falls apart into pairs."""
    uids = [f"{number:02d}" for number in range(40)]
    edges = [(number, number + 1, 0.52 if number % 2 else 0.7) for number in range(39)]
    split = split_people(uids, edges, 0.25, seed=0)
    assert split.threshold == pytest.approx(0.55)
    assert (split.groups, split.largest) == (20, 2)
    assert split.splits.count("test") == 10


def test_a_group_of_a_fifth_is_no_giant():
    uids = list("abcdefghij")
    split = split_people(uids, [(0, 1, 0.5)], 0.2, seed=0)
    assert (split.threshold, split.groups, split.largest) == (0.45, 9, 2)
    # one photograph more is: nothing between the thresholds holds it together any longer
    split = split_people(uids, [(0, 1, 0.48), (1, 2, 0.48)], 0.2, seed=0)
    assert (split.threshold, split.groups, split.largest) == (pytest.approx(0.5), 10, 1)


@pytest.mark.parametrize("pairs", [0.4, 0.65])
def test_people_are_held_together_by_the_lower_threshold_and_torn_apart_up_to_that_of_pairs(pairs):
    uids = list("abcdefghij")
    split = split_people(uids, [(0, 1, 0.42)], 0.2, seed=0, pairs=pairs)
    assert (split.threshold, split.groups) == (min(pairs, 0.45), 9 if pairs == 0.4 else 10)
    # pairs stay together even in a giant group; faces that are exactly as similar as the threshold are no pair
    chain = [(a, a + 1, pairs + 0.01) for a in range(4)] + [(5, 6, pairs)]
    split = split_people(uids, chain, 0.2, seed=0, pairs=pairs)
    assert (split.threshold, split.groups, split.largest) == (pairs, 6, 5)


def test_the_largest_group_is_for_training():
    edges = [(0, 1, 0.9), (1, 2, 0.9), (3, 4, 0.9)]
    for seed in range(10):
        assert set(split_people(list("abcdefgh"), edges, 0.4, seed).splits[:3]) == {"train"}


def test_components():
    assert connected(6, [(5, 2), (2, 4), (0, 1)]) == [0, 0, 2, 3, 2, 2]
    with pytest.raises(ValueError, match=r"lies in \[0, 1\), got 1"):
        split_people(["a"], [], 1.0, 0)
