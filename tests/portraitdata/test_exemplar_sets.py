import pickle
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from portraitdata.exemplars.contact_sheet import contact_sheet
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.photograph_crops import CorruptPhotograph, PhotographCrops, centred_square
from portraitdata.exemplars.sets import EvaluationExemplarSets, TrainingExemplarSets
from portraitdata.exemplars.sources.folders import scan_folders
from portraitdata.exemplars.sources.tars import scan_tars
from portraitdata.images.resampling import bicubic
from portraitdata.loading.sampler import SeededSequence
from portraitdata.loading.shared_array import SharedArray

PEOPLE = {"ada": 5, "ben": 2, "cyd": 1, "dan": 4}
SIDE = 24


def write_people(folder: Path, people: dict[str, int] = PEOPLE, size: tuple[int, int] = (SIDE, SIDE)) -> ExemplarIndex:
    """Photographs whose top left pixel tells (person, photograph); the rest is noise."""
    random = np.random.default_rng(0)
    for person, (name, count) in enumerate(people.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
            pixels[0, 0] = person, number, 77
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    index = scan_folders(folder, min_side=1).index
    return index.with_splits(dict.fromkeys(people, "train"))


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> ExemplarIndex:
    return write_people(tmp_path_factory.mktemp("people"))


def who(images: torch.Tensor) -> list[tuple[int, int]]:
    """(person, photograph) of every image, by the mark in its corner."""
    return [tuple(image[:2, 0, 0].tolist()) for image in images]


def test_target_first_then_others_of_the_same_person(index):
    sets = TrainingExemplarSets(index, SIDE, flip=False)
    names = [row.path for row in index.photographs]
    assert len(sets) == 12
    for number in range(len(sets)):
        images, present, name = sets[number, number]
        marks = [mark for mark, there in zip(who(images), [True, *present.tolist()], strict=True) if there]
        assert name == names[number]
        assert (images.shape, images.dtype, present.dtype) == ((4, 3, SIDE, SIDE), torch.uint8, torch.bool)
        assert marks[0] == (list(PEOPLE).index(name[:3]), int(name[4]))
        assert {person for person, _ in marks} == {marks[0][0]}
        assert len(set(marks)) == len(marks) == min(4, PEOPLE[name[:3]])
        assert not images[1:][~present].any()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(0, 11), st.booleans())
def test_an_item_is_a_function_of_its_key(index, serial, number, cache):
    def fresh():
        return TrainingExemplarSets(
            index, 12, crop=16, jitter=4, reference_counts=(0.1, 0.2, 0.3, 0.4), blank=0.2, seed=3, cache=cache
        )

    sets = fresh()
    first = sets[serial, number]
    _ = sets[serial + 1, (number + 1) % 12]
    for again in (sets[serial, number], fresh()[serial, number]):
        torch.testing.assert_close(again.images, first.images, rtol=0, atol=0)
        assert again.present.equal(first.present)
        assert again.name == first.name


def test_serial_and_seed_change_the_draw(index):
    def draws(seed: int) -> list:
        sets = TrainingExemplarSets(index, SIDE, seed=seed)
        return [who(sets[serial, 0].images.clone()) for serial in range(30)]

    assert len({tuple(draw) for draw in draws(0)}) > 10
    assert draws(0) != draws(1)


def test_every_reference_is_drawn_as_often(index):
    sets = TrainingExemplarSets(index, SIDE, references=2, flip=False)
    counts = Counter(mark for serial in range(600) for mark in who(sets[serial, 0].images[1:]))
    assert set(counts) == {(0, number) for number in range(1, 5)}
    assert all(240 < count < 360 for count in counts.values())


def test_flips_take_the_whole_set(index):
    plain, flipping = (TrainingExemplarSets(index, SIDE, flip=flip) for flip in (False, True))
    flips = 0
    for serial in range(200):
        a, b = plain[serial, 0].images, flipping[serial, 0].images
        mirrored = b.equal(a.flip(-1))
        assert mirrored != b.equal(a)
        flips += mirrored
    assert 75 < flips < 125


def test_reference_counts(index):
    sets = TrainingExemplarSets(index, SIDE, reference_counts=(0.5, 0.0, 0.5, 0.0))
    counts = Counter(int(sets[serial, 0].present.sum()) for serial in range(300))
    assert set(counts) == {0, 2}
    assert 110 < counts[0] < 190
    fewer = TrainingExemplarSets(index, SIDE, reference_counts=(0.0, 0.0, 0.0, 1.0))
    assert int(fewer[0, 5].present.sum()) == 1  # ben has two photographs


def test_blank_references_count_as_present(index):
    images, present, _ = TrainingExemplarSets(index, SIDE, blank=1.0)[0, 0]
    assert present.all()
    assert not images[1:].any()
    sets = TrainingExemplarSets(index, SIDE, blank=0.25)
    blanks = sum(int((sets[serial, 0].images[1:] == 0).flatten(1).all(dim=1).sum()) for serial in range(200))
    assert 110 < blanks < 190


def test_without_references(index):
    for sets, key in (
        (TrainingExemplarSets(index, SIDE, references=0), (5, 0)),
        (EvaluationExemplarSets(index, SIDE, 0, split="train"), 0),
    ):
        images, present, _ = sets[key]
        assert (images.shape[0], present.shape) == (1, (0,))


def test_centred_square():
    assert centred_square(100, 60, None) == (20, 0, 60)
    assert centred_square(100, 60, 40) == (30, 10, 40)
    assert centred_square(100, 60, 80, down=5) == (25, 0, 60)
    assert centred_square(100, 60, 40, down=99, right=-99) == (60, 0, 40)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(1, 40), st.integers(1, 40), st.none() | st.integers(1, 50), st.integers(-60, 60), st.integers(-60, 60)
)
def test_squares_stay_inside(height, width, crop, down, right):
    top, left, side = centred_square(height, width, crop, down, right)
    assert 0 <= top <= height - side
    assert 0 <= left <= width - side
    assert side == min(height, width, crop or 40)


def test_jitter_shifts_every_image_on_its_own(tmp_path):
    index = write_people(tmp_path, {"ada": 4}, (40, 40))
    sources = {row.path: np.asarray(Image.open(index.root / row.path)).transpose(2, 0, 1) for row in index.photographs}
    sets = TrainingExemplarSets(index, 16, crop=16, jitter=5, flip=False)
    seen = set()
    for serial in range(60):
        images = sets[serial, 0].images
        shifts = []
        for image in images.numpy():
            places = [
                (down, right)
                for source in sources.values()
                for down in range(-5, 6)
                for right in range(-5, 6)
                if (source[:, 12 + down : 28 + down, 12 + right : 28 + right] == image).all()
            ]
            assert len(places) == 1
            shifts += places
        assert len(set(shifts)) > 1
        seen.add(shifts[0])
    assert {down for down, _ in seen} == set(range(-5, 6))


@pytest.mark.parametrize("size", [8, 16, 20])
@pytest.mark.parametrize(("crop", "jitter"), [(None, 0), (16, 0), (16, 3), (64, 3)])
def test_the_cache_changes_nothing(tmp_path, size, crop, jitter):
    index = write_people(tmp_path, {"ada": 3, "ben": 2}, (21, 30))
    plain, cached = (
        TrainingExemplarSets(index, size, crop=crop, jitter=jitter, cache=cache) for cache in (False, True)
    )
    for serial in range(12):
        for _ in range(2):
            assert plain[serial, serial % 5].images.equal(cached[serial, serial % 5].images)


def test_cached_photographs_are_decoded_once(index, monkeypatch):
    sets = TrainingExemplarSets(index, SIDE, cache=True)
    first = sets[0, 0].images
    monkeypatch.setattr(ExemplarIndex, "read_bytes", lambda *_: pytest.fail("read again"))
    assert sets[0, 0].images.equal(first)


def test_resizing_is_matlabs_bicubic(index):
    images, _, name = EvaluationExemplarSets(index, 10, crop=20, split="train")[0]
    with Image.open(index.root / name) as photograph:
        window = torch.from_numpy(np.asarray(photograph).copy()).permute(2, 0, 1)[:, 2:22, 2:22]
    wanted = bicubic(window.float(), 10, 10).round().clamp(0, 255).byte()
    assert images[0].equal(wanted)


def test_grey_deep_transparent_and_small_photographs(tmp_path):
    (tmp_path / "ada").mkdir()
    Image.new("L", (30, 30), 50).save(tmp_path / "ada" / "grey.png")
    Image.fromarray(np.full((30, 30), 50 * 257, np.uint16)).save(tmp_path / "ada" / "deep.png")
    Image.new("RGBA", (30, 30), (50, 50, 50, 0)).save(tmp_path / "ada" / "alpha.png")
    Image.new("RGB", (9, 9), (50, 50, 50)).save(tmp_path / "ada" / "small.png")
    index = scan_folders(tmp_path, min_side=1).index.with_splits({"ada": "train"})
    assert (TrainingExemplarSets(index, 16, crop=20)[0, 0].images == 50).all()


def spoil(index: ExemplarIndex, *paths: str) -> None:
    for path in paths:
        data = (index.root / path).read_bytes()
        (index.root / path).write_bytes(data[: len(data) // 2])


def test_corrupt_photographs_are_replaced_and_named_once(tmp_path):
    index = write_people(tmp_path)
    spoil(index, "ada/1.png")
    sets = TrainingExemplarSets(index, SIDE, flip=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn = [sets[serial, number] for serial in range(30) for number in range(5)]
    assert [warning.category for warning in caught] == [CorruptPhotograph]
    assert "Another photograph takes the place of a corrupt one: ada/1.png" in str(caught[0].message)
    assert sets.corrupt_photographs == ["ada/1.png"]
    for images, present, name in drawn:
        marks = who(images)
        assert name != "ada/1.png"
        assert (0, 1) not in marks
        assert len(set(marks)) == 4  # the target is never its own reference
        assert present.all()


def test_a_person_without_readable_photographs_gives_way_to_the_next(tmp_path):
    index = write_people(tmp_path)
    spoil(index, "ben/0.png", "ben/1.png")
    sets = TrainingExemplarSets(index, SIDE, flip=False)
    with pytest.warns(CorruptPhotograph):
        images, present, name = sets[0, 5]
    assert (name, who(images)[0], present.any().item()) == ("cyd/0.png", (2, 0), False)
    spoil(index, *(row.path for row in index.photographs if not row.path.startswith("ben")))
    with pytest.warns(CorruptPhotograph), pytest.raises(ValueError, match="Not one of the 12 training photographs"):
        TrainingExemplarSets(index, SIDE)[0, 0]


def test_a_photograph_that_changed_since_it_was_indexed_is_corrupt(tmp_path):
    index = write_people(tmp_path)
    Image.new("RGB", (30, 30)).save(index.root / "ada" / "0.png")
    with pytest.warns(CorruptPhotograph, match=r"has 30 x 30 pixels, 24 x 24 when it was indexed"):
        assert TrainingExemplarSets(index, SIDE)[0, 0].name == "ada/1.png"


def test_workers_share_cache_and_corruption(tmp_path):
    index = write_people(tmp_path)
    spoil(index, "ada/1.png")
    sets = TrainingExemplarSets(index, SIDE, cache=True)
    plain = TrainingExemplarSets(index, SIDE)
    keys = list(SeededSequence(12, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batches = list(DataLoader(sets, 4, sampler=keys, num_workers=2))
        for batch, start in zip(batches, (0, 4, 8), strict=True):
            wanted = torch.stack([plain[key].images for key in keys[start : start + 4]])
            assert batch.images.equal(wanted)
    assert sets.corrupt_photographs == ["ada/1.png"]
    assert (sets._crops._state.values == 1).sum() >= 8


def test_shared_array_is_pickled_empty():
    array = SharedArray(2, 3)
    array.values[:] = 7
    assert pickle.loads(pickle.dumps(array)).values.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert SharedArray(0, 3).values.shape == (0, 3)
    with pytest.raises(MemoryError, match="The system does not give"):
        SharedArray(1 << 40, 1 << 16)


def test_evaluation_is_fixed_and_sorted(index):
    sets = EvaluationExemplarSets(index, SIDE, split="train")
    assert len(sets) == 12
    images, present, name = sets[1]
    assert (name, who(images), present.tolist()) == ("ada/1.png", [(0, 1), (0, 0), (0, 2), (0, 3)], [True] * 3)
    assert sets[5].present.tolist() == [True, False, False]
    assert sets[1].images.equal(images)


def test_strangers_and_blanks(index):
    strangers = EvaluationExemplarSets(index, SIDE, split="train", choose="stranger")
    assert who(strangers[0].images) == [(0, 0), (1, 0), (1, 1), (0, 0)]
    assert strangers[0].present.tolist() == [True, True, False]
    assert who(strangers[11].images)[1] == (0, 0)  # the first person follows the last
    images, present, _ = EvaluationExemplarSets(index, SIDE, split="train", choose="blank")[0]
    assert present.all()
    assert not images[1:].any()
    alone = ExemplarIndex(index.root, index.by_identity["ada"])
    with pytest.raises(ValueError, match="shows one person only, there is no stranger"):
        EvaluationExemplarSets(alone, SIDE, split="train", choose="stranger")


def test_limit_is_spread_over_the_split(index):
    sets = EvaluationExemplarSets(index, SIDE, split="train", limit=4)
    assert [sets[number].name for number in range(len(sets))] == ["ada/0.png", "ada/3.png", "ben/1.png", "dan/1.png"]
    assert len(EvaluationExemplarSets(index, SIDE, split="train", limit=99)) == 12


def test_evaluation_does_not_go_on_without_a_photograph(tmp_path):
    index = write_people(tmp_path)
    spoil(index, "ada/0.png")
    sets = EvaluationExemplarSets(index, SIDE, split="train")
    with pytest.raises(ValueError, match=r"ada/1\.png|ada/0\.png cannot be evaluated: .*exemplar-index --verify"):
        sets[1]
    assert sets[8].name == "dan/0.png"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": -1}, "number of references cannot be -1"),
        ({"size": 0}, "Sizes count pixels, got size 0"),
        ({"jitter": 3}, "give the side of the crop"),
        ({"blank": 1.5}, r"`blank` is 1\.5"),
        ({"seed": -1}, "not negative, got -1"),
        ({"reference_counts": (1.0,)}, "are 4 probabilities of 0 to 3 of them, got 1"),
        ({"reference_counts": (0.5, 0.0, 0.0, 0.0)}, "must sum to one"),
        ({"reference_counts": (1.5, -0.5, 0.0, 0.0)}, "must sum to one"),
    ],
)
def test_arguments(index, options, message):
    with pytest.raises(ValueError, match=message):
        TrainingExemplarSets(index, **({"size": SIDE} | options))


def test_split_without_photographs(index):
    with pytest.raises(ValueError, match="no photographs in the split 'test'"):
        EvaluationExemplarSets(index, SIDE)
    with pytest.raises(ValueError, match="At least one photograph must be left, the limit is 0"):
        EvaluationExemplarSets(index, SIDE, split="train", limit=0)


def test_contact_sheet(index):
    sets = EvaluationExemplarSets(index, SIDE, split="train")
    sheet = contact_sheet([sets[0], sets[5]])
    assert sheet.shape == (3, 2 * SIDE + 3 * 4, 4 * SIDE + 5 * 4)
    torch.testing.assert_close(sheet[:, 4 : 4 + SIDE, 4 : 4 + SIDE] * 255, sets[0].images[0].float())
    assert (sheet[:, -4 - SIDE :, -4 - SIDE :] == 1).all()  # ben has one reference, the other places are white
    with pytest.raises(ValueError, match="at least one exemplar set"):
        contact_sheet([])


@pytest.mark.assets
def test_labelled_faces_in_the_wild(assets):
    archive = assets / "images" / "lfw_min4_max10.tar"
    index = scan_tars(archive, archive.with_suffix(".csv")).index
    assert [len(index.select(split).by_identity) for split in ("train", "test")] == [500, 70]
    assert len(index.photographs) == 3729
    sets = TrainingExemplarSets(index, 128, crop=128, jitter=8)
    images, present, name = sets[0, 17]
    assert (images.shape, present.all().item()) == ((4, 3, 128, 128), True)
    assert name.startswith("lfw_min4_max10/lfw/")
    assert images.float().std() > 20
    assert len(EvaluationExemplarSets(index, 128, crop=128)) == 466
    crops = PhotographCrops(index, index.photographs, 128, 128)
    assert crops.read(0).shape == (3, 128, 128)
