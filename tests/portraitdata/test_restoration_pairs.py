import pickle
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.images.errors import DamagedImageError
from faceops.images.files import load_picture
from portraitdata.degradation.batched.executor import degrade_batch
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.exemplars.photograph_crops import CorruptPhotograph
from portraitdata.restoration.batches import RestorationItem, collate, finish
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.photograph_windows import PhotographWindows
from portraitdata.restoration.portrait_items import SmallPhotographs
from portraitdata.restoration.training_pairs import RestorationPairs

SIZE = 96


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> PortraitIndex:
    """Six people of three portraits, 160 x 192 pixels, to train on; two to test on."""
    folder = tmp_path_factory.mktemp("drawn")
    return PortraitIndex.read(write_synthetic_portrait_index(folder, people=8, portraits=3, size=128))


def training(index: PortraitIndex, **options) -> RestorationPairs:
    return RestorationPairs(index, **({"size": SIZE, "drop": 0.0, "keep_face": 1.0, "window": (1.0, 1.0)} | options))


def same(a: RestorationItem, b: RestorationItem) -> bool:
    return all(
        (x is y) or (x.equal(y) if isinstance(x, torch.Tensor) else x == y)
        for x, y in zip(a._replace(faces=a.faces.landmarks), b._replace(faces=b.faces.landmarks), strict=True)
    )


def test_an_item(index):
    item = training(index)[5, 4]
    assert (item.hq.shape, item.lq.shape, item.reference.shape) == ((3, 96, 96), (3, 24, 24), (3, 512, 512))
    assert (item.name, item.prompt, item.referenced) == ("person001-1-128.png", "a drawing of person 1", 0)
    degraded = degrade(np.ascontiguousarray(item.hq.permute(1, 2, 0).numpy()), item.record)
    assert item.lq.permute(1, 2, 0).numpy().tolist() == degraded.tolist()


def test_items_follow_from_key_and_seed_alone(index):
    pairs, other = training(index), training(index, seed=1)
    first = pairs[3, 7]
    assert same(first, pickle.loads(pickle.dumps(pairs))[3, 7])
    assert not same(first, pairs[4, 7])
    assert not same(first, other[3, 7])
    assert same(pairs[2], pairs[2, 2])


def test_landmarks_are_where_the_pupils_are(index):
    """Faces go through window, resizing and flip with the pixels; a pupil is dark, half of the views are mirrored."""
    options = {"size": 160, "window": (0.9, 1.0), "degrade_on": "device"}
    pairs, unflipped = training(index, **options), training(index, flip=False, **options)
    flips = 0
    for serial in range(20):
        item = pairs[serial, serial % len(pairs)]
        for x, y in item.faces.landmarks[0, :2].round().int().tolist():
            assert item.hq[:, y, x].max() < 70
        (eye, other) = item.faces.landmarks[0, :2, 0].tolist()
        assert eye < other
        flips += not item.hq.equal(unflipped[serial, serial % len(pairs)].hq)
    assert 4 <= flips <= 16


def test_references_are_of_the_same_person_and_never_the_photograph_itself(index):
    faces = {}
    crops = PhotographWindows(index)
    for face in range(index.faces.num_rows):
        for flipped in (False, True):
            faces[crops.aligned_face(face, flipped).tobytes()] = face, flipped
    pairs, unflipped = training(index, degrade_on="device"), training(index, flip=False, degrade_on="device")
    seen = set()
    for serial in range(30):
        item = pairs[serial, serial % len(pairs)]
        face, flipped = faces[item.reference.numpy().tobytes()]
        name = index.photograph(index.photograph_of(face)).path
        assert name != item.name
        assert name.split("-")[0] == item.name.split("-")[0]
        seen.add((item.name, name))
        plain = unflipped[serial, serial % len(pairs)]
        assert flipped == (not plain.hq.equal(item.hq))  # reference and portrait are mirrored together
    assert len(seen) > 18  # of 36: both directions of a pair, at random


@pytest.mark.parametrize(
    ("drop", "draws", "least", "most"), [(0.0, 40, 1.0, 1.0), (0.2, 150, 0.71, 0.89), (1.0, 40, 0.0, 0.0)]
)
def test_references_are_dropped(index, drop, draws, least, most, monkeypatch):
    monkeypatch.setattr(PhotographWindows, "aligned_face", lambda *_: np.zeros((3, 512, 512), np.uint8))
    pairs = training(index, drop=drop, degrade_on="device", size=16)
    present = [pairs[serial, serial % len(pairs)].reference is not None for serial in range(draws)]
    assert least <= np.mean(present) <= most


def test_without_references(index):
    items = [training(index, references=False)[serial, 0] for serial in range(5)]
    assert all(item.reference is None and item.referenced == -1 and len(item.faces) == 1 for item in items)
    batch = finish(collate(items))
    assert not batch.mask.any()
    assert not batch.reference.any()


@pytest.mark.parametrize(("keep_face", "least", "most"), [(1.0, 1.0, 1.0), (0.0, 0.02, 0.5)])
def test_windows_keep_the_face(index, keep_face, least, most):
    pairs = training(index, size=64, window=(0.1, 0.55), keep_face=keep_face, degrade_on="device")
    share = np.mean([len(pairs[serial, serial % len(pairs)].faces) for serial in range(60)])
    assert least <= share <= most


def test_a_face_that_is_not_in_the_window_gets_no_reference(index):
    pairs = training(index, size=32, window=(0.1, 0.2), keep_face=0.0, degrade_on="device")
    items = [pairs[serial, serial % len(pairs)] for serial in range(60)]
    assert any(item.reference is None for item in items)
    assert all((item.reference is None) == (len(item.faces) == 0) for item in items)


def test_nothing_is_enlarged_silently(index):
    with pytest.raises(ValueError, match=r"All 18 photographs .* have a side of fewer than 200 pixels"):
        training(index, size=200)
    item = training(index, size=200, small="enlarge")[0, 0]
    assert item.hq.shape == (3, 200, 200)
    rows = index.images.to_pylist()
    rows[4]["height"] = 90
    mixed = replace(index, images=pa.Table.from_pylist(rows, index.images.schema))
    with pytest.warns(SmallPhotographs, match="1 of 18 photographs of .* are left out: one side has fewer than 96"):
        pairs = training(mixed)
    assert len(pairs) == 17


def test_windows_are_never_smaller_than_the_view(index):
    """A window of 160 pixels is the whole height, so nothing is left to chance but the column and the flip."""
    pairs = training(index, size=160, window=(0.1, 0.2), references=False, flip=False)
    whole = load_picture(index.root / pairs[0, 0].name).pixels.mul(255).round().byte()
    assert any(pairs[0, 0].hq.equal(whole[:, :, left : left + 160]) for left in range(33))


def test_a_corrupt_photograph_is_replaced_and_counted(index, tmp_path):
    broken = copied(index, tmp_path)
    (tmp_path / "person001-0-128.png").write_bytes(b"")
    pairs = training(broken)
    with pytest.warns(CorruptPhotograph, match=r"\(1 so far\): person001-0-128\.png is empty"):
        item = pairs[0, 3]
    assert item.name == "person001-1-128.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(pairs[0, 3], item)  # told once
        assert all(pairs[serial, 4].reference is not None for serial in range(6))  # never the corrupt one
    assert pairs.corrupt_photographs == ["person001-0-128.png"]


def test_a_changed_photograph_is_corrupt(index, tmp_path):
    changed = copied(index, tmp_path)
    (tmp_path / "person000-0-128.png").write_bytes((tmp_path / "small.png").read_bytes())
    with pytest.warns(CorruptPhotograph, match="has 5 x 4 pixels, 192 x 160 when it was indexed; index it again"):
        training(changed)[0, 0]


def test_nothing_but_corrupt_photographs(index, tmp_path):
    empty = replace(index, root=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CorruptPhotograph)
        with pytest.raises(ValueError, match="Not one of the 18 photographs"):
            training(empty)[0, 0]


def copied(index: PortraitIndex, folder: Path) -> PortraitIndex:
    from faceops.images.files import Picture, save_picture

    for number in range(len(index)):
        name = index.photograph(number).path
        (folder / name).write_bytes((index.root / name).read_bytes())
    save_picture(Picture(torch.zeros(3, 4, 5)), folder / "small.png")
    return replace(index, root=folder)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"drop": 1.5}, "A probability lies in [0, 1], `drop` is 1.5."),
        ({"window": (0.5, 0.4)}, "`window` is (0.5, 0.4)"),
        ({"seed": -1}, "A seed is not negative"),
        ({"size": 97}, "An image of 97 x 97 pixels cannot be reduced by 4"),
        ({"preset": "daefr"}, "its scale is 1, not 4"),
        ({"split": "unused"}, "has no photographs in the split 'unused'"),
    ],
)
def test_arguments_out_of_range(index, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        training(index, **options)


def test_a_face_preset_gives_the_size_back(index):
    assert training(index, preset="daefr", scale=1)[0, 0].lq.shape == (3, SIZE, SIZE)


def test_evaluation_takes_the_most_similar_face(index):
    pairs = EvaluationPairs(index, size=160)
    crops = PhotographWindows(index)
    assert len(pairs) == 6
    for item in (pairs[key] for key in range(6)):
        person, portrait = item.name[:9], int(item.name[10])
        neighbour = 1 if portrait in (0, 2) else 0  # similarity falls with the distance of the numbers
        number = next(n for n in range(len(index)) if index.uid(n) == f"{person}-{neighbour}")
        assert item.reference.numpy().tolist() == crops.aligned_face(int(index.faces_of(number)[0]), False).tolist()
        assert (len(item.faces), item.referenced) == (1, 0)


def test_evaluation_is_the_same_every_time_and_of_every_part(index):
    whole, part = EvaluationPairs(index, size=SIZE), EvaluationPairs(index, size=SIZE, limit=3)
    assert [item.name for item in (part[0], part[1], part[2])] == [whole[key].name for key in (0, 2, 4)]
    assert same(part[1], whole[2])
    assert not EvaluationPairs(index, size=SIZE, seed=1)[2].lq.equal(whole[2].lq)
    assert EvaluationPairs(index, size=SIZE, references=False)[0].reference is None
    with pytest.raises(ValueError, match="the limit is 0"):
        EvaluationPairs(index, limit=0)


def test_evaluation_stops_at_a_corrupt_photograph(index, tmp_path):
    with pytest.raises(DamagedImageError, match=r"person006-0-128\.png cannot be evaluated: There is no file"):
        EvaluationPairs(replace(index, root=tmp_path), size=SIZE)[0]


def test_photographs_without_faces_are_shown_from_the_middle(index):
    bare = PortraitIndex(index.root, index.images)
    item = EvaluationPairs(bare, size=160)[0]
    whole = load_picture(index.root / item.name).pixels.mul(255).round().byte()
    assert item.hq.equal(whole[:, :, 16:176])
    assert training(bare)[0, 0].reference is None


def test_batches(index):
    pairs = training(index, drop=0.4)
    items = [pairs[serial, serial] for serial in range(8)]
    bare = PortraitIndex(index.root, index.images)
    items.insert(3, training(bare)[0, 0])
    batch = finish(collate(items))
    assert batch.lq.shape == (9, 3, 24, 24)
    assert batch.present.tolist() == [item.reference is not None for item in items]
    assert 1 <= batch.present.sum() < 8
    assert batch.faces.image_index.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    for number, item in enumerate(items):
        row = int(batch.referenced[number])
        assert batch.hq[number].mul(255).round().byte().equal(item.hq)
        assert (row >= 0) == (item.reference is not None) == bool(batch.mask[number].any())
        if row >= 0:
            assert batch.faces.image_index[row] == number
            left, top, right, bottom = batch.faces.boxes[row].tolist()
            rows, columns = batch.mask[number, 0].nonzero().T
            assert (columns.min(), columns.max()) == (max(0, np.ceil(left)), min(SIZE - 1, np.floor(right)))
            assert (rows.min(), rows.max()) == (max(0, np.ceil(top)), min(SIZE - 1, np.floor(bottom)))


def test_degradation_on_the_device(index):
    on_workers, on_device = training(index), training(index, degrade_on="device")
    ours = [on_device[serial, serial] for serial in range(3)]
    assert all(item.lq is None for item in ours)
    batch = finish(collate(ours))
    torch.testing.assert_close(batch.lq, degrade_batch(batch.hq, [item.record for item in ours]), rtol=0, atol=0)
    theirs = [on_workers[serial, serial] for serial in range(3)]
    assert [item.record for item in ours] == [item.record for item in theirs]
    means = [lq.mean(dim=(2, 3)) for lq in (finish(collate(theirs)).lq, batch.lq)]
    torch.testing.assert_close(*means, rtol=0, atol=0.02)  # one record, two executors, other noise


def test_what_cannot_be_a_batch(index):
    small, large = training(index)[0, 0], training(index, size=160)[0, 0]
    with pytest.raises(ValueError, match="Images of one batch have one size, got 96 x 96 and 160 x 160"):
        collate([small, large])
    with pytest.raises(ValueError, match="there must be a record to make it by"):
        finish(collate([small._replace(lq=None, record=None)]))


def test_bytes_go_to_a_device_as_one(index):
    batch = collate([training(index)[0, 0]]).to("cpu")
    assert batch.names == ["person000-0-128.png"]
    assert collate([training(index, degrade_on="device")[0, 0]]).to("cpu", non_blocking=True).lq is None


def test_a_close_up_has_the_reference_of_its_face_whatever_it_shows_of_it(index):
    """A third of each side of the face: never all five landmarks, and yet the reference is there and belongs there."""
    pairs = training(index, size=24, window=(0.15, 0.15), close_up=1.0, degrade_on="device", reference_size=64)
    items = [pairs[serial, serial % len(pairs)] for serial in range(12)]
    assert all(item.reference is not None and item.referenced == 0 and len(item.faces) == 1 for item in items)
    batch = finish(collate(items))
    assert batch.mask.flatten(1).any(dim=1).all()
    whole = batch.of_whole_faces()
    assert len(whole.faces) == 0
    assert whole.referenced.tolist() == [-1] * 12
    assert batch.referenced.tolist() == list(range(12))


def test_only_whole_faces_are_left_and_their_references_with_them(index):
    near = training(index, size=24, window=(0.15, 0.15), close_up=1.0, degrade_on="device", reference_size=64)
    far = training(index, size=24, window=(1.0, 1.0), degrade_on="device", reference_size=64)
    batch = finish(collate([far[0], near[0], far[1], near[1]]))
    whole = batch.of_whole_faces()
    assert whole.faces.image_index.tolist() == [0, 2]
    assert whole.referenced.tolist() == [0, -1, 1, -1]
    assert whole.faces.landmarks.equal(batch.faces.landmarks[[0, 2]])
    assert whole.hq is batch.hq


def test_faces_are_aligned_by_the_matrix_of_the_index_and_not_by_their_landmarks(index):
    """A nose that is found elsewhere: least median of squares leaves it out, least squares does not."""
    landmarks = torch.tensor(index.faces["landmarks"].to_pylist(), dtype=torch.float64).unflatten(1, (5, 2))
    landmarks[:, 2] += torch.tensor([9.0, -7.0])
    matrices = alignment_matrix(landmarks, estimator="lmeds")
    columns = {"landmarks": landmarks.flatten(1).tolist(), "matrix": matrices.flatten(1).tolist()}
    faces = index.faces
    for name, values in columns.items():
        place = faces.column_names.index(name)
        faces = faces.set_column(place, faces.schema.field(name), pa.array(values, faces.schema.field(name).type))
    noisy = replace(index, faces=faces)
    pairs, known, apart = training(noisy, keep_face=1.0), set(), []
    for serial in range(12):
        item = pairs[serial, serial]
        (number,) = [n for n in range(len(noisy)) if noisy.photograph(n).path == item.name]
        (face,) = noisy.faces_of(number)
        aligned = apply(torch.from_numpy(noisy.matrices(np.array([face]))), landmarks[face].unsqueeze(0))[0]
        found = apply(item.matrices, item.faces.landmarks)[0].double()
        plain, mirrored = (found - aligned).abs().max(), (511 - found[[1, 0, 2, 4, 3], 0] - aligned[:, 0]).abs().max()
        assert min(plain, mirrored) < 0.1
        known.add(bool(plain < mirrored))
        by_least_squares = apply(alignment_matrix(item.faces.landmarks), item.faces.landmarks)[0]
        apart.append((by_least_squares - found).abs().max().item())
        torch.testing.assert_close(finish(collate([item])).aligning(512), item.matrices, rtol=0, atol=1e-3)
    assert known == {True, False}
    assert max(apart) > 2  # pixels of 512: twenty times what is forgiven above


def test_matrices_of_a_batch_are_of_its_faces_in_their_order(index):
    items = [training(index, keep_face=1.0)[serial, serial] for serial in range(4)]
    batch = finish(collate(items))
    assert batch.matrices.equal(torch.cat([item.matrices for item in items]))
    points = apply(batch.aligning(128), batch.faces.landmarks)
    torch.testing.assert_close(points, FFHQ_512.scaled(128).tensor().float().expand(4, 5, 2), rtol=0, atol=12)
    outside = batch.faces.landmarks.clone()
    outside[1, 0, 0] = -9
    close = batch._replace(faces=replace(batch.faces, landmarks=outside)).of_whole_faces()
    assert close.matrices.equal(batch.matrices[[0, 2, 3]])
