import numpy as np
import pytest

from portraitdata.builder.stages.whole_people import keep_people_whole


def fan(*degrees):
    """Faces in a plane, in half precision: the cosine of two is that of the angle between them."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)


def test_one_that_moves_takes_its_group_and_those_that_are_alike_to_it():
    """Images 1, 2 are a group; 1 is alike to 0, which is for training, and 3 only to 2. Nobody is alike to 4."""
    embeddings, owners = fan(0, 20, 80, 100, 200), np.arange(5)
    tested = np.array([False, True, True, True, True])
    whole = keep_people_whole(embeddings, owners, np.array([0, 1, 1, 3, 4]), tested, 0.9)
    assert whole.tested.tolist() == [False, False, False, False, True]
    assert whole.missed == [(1, 0), (3, 2)]
    assert whole.largest == pytest.approx(np.cos(np.deg2rad(100)), abs=1e-3)
    assert tested.tolist() == [False, True, True, True, True]


def test_any_face_of_an_image_moves_it():
    """Image 0 has faces at 0 and 90 degrees, image 1 at 180 and 95."""
    embeddings, owners = fan(0, 90, 180, 95, 270), np.array([0, 0, 1, 1, 2])
    whole = keep_people_whole(embeddings, owners, np.arange(3), np.array([True, False, True]), 0.5)
    assert whole.tested.tolist() == [False, False, True]
    assert whole.missed == [(0, 1)]
    assert whole.largest == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("tested", [[False, False], [True, True]])
def test_one_side_without_faces(tested):
    whole = keep_people_whole(fan(0, 0), np.arange(2), np.arange(2), np.array(tested), 0.5)
    assert (whole.tested.tolist(), whole.missed, whole.largest) == (tested, [], None)
    none = keep_people_whole(np.zeros((0, 1), np.float16), np.arange(0), np.arange(2), np.array(tested), 0.5)
    assert (none.tested.tolist(), none.missed, none.largest) == (tested, [], None)


@pytest.mark.parametrize("block", [3, 1000])
def test_nothing_crosses_however_much_was_missed(monkeypatch, block):
    monkeypatch.setattr("portraitdata.builder.checks.people_checks.BLOCK", block)
    random = np.random.default_rng(1)
    people = random.normal(size=(30, 8))
    embeddings = (people[np.repeat(np.arange(30), 3)] + 0.2 * random.normal(size=(90, 8))).astype(np.float16)
    drawn = random.random(90) < 0.3
    whole = keep_people_whole(embeddings, np.arange(90), np.arange(90), drawn, 0.85)
    unit = embeddings.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    assert (unit[drawn] @ unit[~drawn].T).max() > 0.85
    assert 0 < whole.tested.sum() < drawn.sum()
    assert not (whole.tested & ~drawn).any()
    largest = (unit[whole.tested] @ unit[~whole.tested].T).max()
    assert whole.largest == pytest.approx(largest, abs=1e-6)
    assert largest <= 0.85
