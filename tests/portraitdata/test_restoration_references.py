"""References that are not simply another photograph's face of the person."""

import re
from dataclasses import replace

import numpy as np
import pytest

from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import PAIRS
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.photograph_windows import PhotographWindows, mean_reduced
from portraitdata.restoration.references.altered_faces import draw_alteration, hidden, hidden_box
from portraitdata.restoration.references.training_references import people_of
from portraitdata.restoration.training_pairs import RestorationPairs

COUNT = 60


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> PortraitIndex:
    """Four people of two portraits, three of them to train on."""
    return PortraitIndex.read(write_synthetic_portrait_index(tmp_path_factory.mktemp("drawn"), 4, 2, 64))


@pytest.fixture(scope="module")
def alone(index) -> PortraitIndex:
    """The same without partners."""
    return replace(index, pairs=PAIRS.empty_table())


def drawn(index: PortraitIndex, count: int = COUNT, **options) -> list:
    settings = {"size": 32, "drop": 0.0, "keep_face": 1.0, "window": (1.0, 1.0), "flip": False, "reference_size": 64}
    pairs = RestorationPairs(index, **(settings | options))
    return [pairs[serial, serial % len(pairs)] for serial in range(count)]


def test_a_face_without_another_photograph_has_itself(alone):
    assert all(item.reference is None for item in drawn(alone, 4))
    items = drawn(alone, self_reference=0.5)
    chosen = [item for item in items if item.reference is not None]
    assert 0.3 * COUNT < len(chosen) < 0.7 * COUNT
    assert all(item.same_person and item.referenced == 0 and item.reference.shape == (3, 64, 64) for item in chosen)
    windows = PhotographWindows(alone)
    own = {alone.photograph(number).path: windows.aligned_face(number, False, 64) for number in range(len(alone))}
    for item in chosen:
        assert np.abs(item.reference.numpy().astype(float) - own[item.name]).mean() > 3


def test_a_face_with_partners_keeps_them(index):
    plain, offered = drawn(index, 6), drawn(index, 6, self_reference=1.0)
    assert all(a.reference.equal(b.reference) for a, b in zip(plain, offered, strict=True))


def test_strangers_are_other_people_and_said_to_be(index):
    windows = PhotographWindows(index)
    faces = {windows.aligned_face(face, False, 64).tobytes(): face for face in range(index.faces.num_rows)}
    items = drawn(index, stranger=0.5)
    for item in items:
        shown = index.photograph(index.photograph_of(faces[item.reference.numpy().tobytes()])).path
        assert (shown[:9] == item.name[:9]) == item.same_person
        assert item.referenced == 0
        assert int(shown[6:9]) < 3  # never one of those who are tested on
    assert 0.3 * COUNT < sum(not item.same_person for item in items) < 0.7 * COUNT
    batch = finish(collate(items[:8]))
    assert batch.present.all()
    assert batch.same_person.tolist() == [item.same_person for item in items[:8]]


def test_without_a_reference_nobody_is_the_same_person(index):
    batch = finish(collate(drawn(index, 6, drop=0.5, stranger=0.3)))
    assert not batch.present.all()
    assert not batch.same_person[~batch.present].any()
    assert collate(drawn(index, 2)).to("cpu").same_person.all()


def test_everybody_alone_has_no_stranger_among_relatives(index):
    people = people_of(index)
    assert [people[face] for face in range(8)] == [0, 0, 2, 2, 4, 4, 6, 6]


def test_eyes_or_mouth_are_hidden(index):
    plain, painted = drawn(index), drawn(index, hide_parts=0.5)
    kinds = set()
    for a, b in zip(plain, painted, strict=True):
        options = [a.reference.numpy(), *(hidden(a.reference.numpy(), part) for part in ("eyes", "mouth"))]
        kinds |= {number for number, option in enumerate(options) if (option == b.reference.numpy()).all()}
        assert a.hq.equal(b.hq)
    assert kinds == {0, 1, 2}
    changed = sum(not a.reference.equal(b.reference) for a, b in zip(plain, painted, strict=True))
    assert 0.3 * COUNT < changed < 0.7 * COUNT


def test_what_is_hidden_has_one_colour():
    face = np.random.default_rng(0).integers(0, 256, (3, 128, 128), np.uint8)
    left, top, right, bottom = hidden_box("mouth", 128)
    out = hidden(face, "mouth")
    assert (out[:, top:bottom, left:right] == out[:, top : top + 1, left : left + 1]).all()
    assert (out != face).any(axis=0).sum() <= (right - left) * (bottom - top)


def test_alterations_leave_the_face_and_follow_from_the_draw():
    face = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    before = face.copy()
    altered = [draw_alteration(np.random.default_rng(seed))(face) for seed in (1, 1, 2)]
    assert (face == before).all()
    assert (altered[0] == altered[1]).all()
    assert (altered[0] != altered[2]).any()
    assert {draw_alteration(np.random.default_rng(seed)).mirrored for seed in range(10)} == {True, False}


def test_small_alterations_are_parts_of_large_ones():
    for seed in range(10):
        whole, part, none = (draw_alteration(np.random.default_rng(seed), size) for size in (1.0, 0.25, 0.0))
        for name in ("turn", "right", "down"):
            assert getattr(part.warp, name) == pytest.approx(0.25 * getattr(whole.warp, name))
        assert part.warp.zoom - 1 == pytest.approx(0.25 * (whole.warp.zoom - 1))
        assert (none.warp.turn, none.warp.zoom, none.mirrored) == (0, 1, False)
        assert (part.gamma, part.gain, part.blur) == (whole.gamma, whole.gain, whole.blur)


def test_small_references_are_means_of_large_ones(index):
    windows = PhotographWindows(index)
    large, small = (windows.aligned_face(0, True, size) for size in (512, 128))
    assert np.abs(small - large.reshape(3, 128, 4, 128, 4).mean(axis=(2, 4))).max() <= 0.51
    with pytest.raises(ValueError, match="divides 512 pixels, got 100"):
        drawn(index, 1, reference_size=100)
    with pytest.raises(ValueError, match="A face of 8 pixels is reduced to a divisor of that, got 3"):
        mean_reduced(np.zeros((3, 8, 8), np.uint8), 3)
    blank = collate(drawn(index, 2, references=False), reference_size=128)
    assert blank.reference.shape == (2, 3, 128, 128)


@pytest.mark.parametrize("degrade_on", ["workers", "device"])
def test_grey_items_have_no_colour_anywhere(index, degrade_on):
    items = drawn(index, 40, grey=0.5, degrade_on=degrade_on, preset="realesrgan", size=64)
    batch = finish(collate(items))
    for images in (batch.hq, batch.lq, batch.reference):
        grey = [bool((image == image[:1]).all()) for image in images]
        assert grey == [item.grey for item in items]
    assert 10 <= sum(item.grey for item in items) <= 30


@pytest.mark.parametrize("name", ["grey", "self_reference", "stranger", "hide_parts", "alteration"])
def test_probabilities_are_checked(index, name):
    with pytest.raises(ValueError, match=re.escape(f"lies in [0, 1], `{name}` is 1.5.")):
        RestorationPairs(index, size=32, **{name: 1.5})
