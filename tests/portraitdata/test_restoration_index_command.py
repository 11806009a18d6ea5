import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from faceops.geometry.alignment import ffhq_to_arcface
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.images.files import Picture, load_picture, save_picture
from faceops.recognition.identity import build_identity, embed, similarity
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.training_pairs import RestorationPairs


@pytest.fixture
def photographs(tmp_path) -> Path:
    folder = tmp_path / "photographs"
    for number, name in enumerate(("a.png", "deep/b.png", "deep/c.png", "deep/er/d.png")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(Picture(torch.full((3, 20 + number, 30), number / 10)), path)
    return folder


def index_pictures(source: Path, output: Path, **options: object) -> None:
    """Index without looking for faces."""
    run_portrait_index(PortraitIndexOptions(source, output=output, no_faces=True, **options))


def test_photographs_without_looking_for_faces(photographs, tmp_path, capsys):
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8broken")
    (photographs / "zero.png").write_bytes(b"")
    shutil.copy(photographs / "a.png", photographs / "z.png")
    (photographs / "notes.txt").write_text("no picture")
    index_pictures(photographs, tmp_path / "index", test_share=0.25, note="four")
    out, err = capsys.readouterr()
    assert "7 pictures, 4 of them usable" in out
    assert "3 photographs for training, 1 for testing" in out
    assert "zero.png is empty" in err
    assert "left out: broken.jpg" in err
    assert "z.png is the same file as a.png." in err
    index = PortraitIndex.read(tmp_path / "index")
    assert [index.photograph(number).path for number in range(4)] == [
        "a.png",
        "deep/b.png",
        "deep/c.png",
        "deep/er/d.png",
    ]
    assert [index.size(number) for number in range(4)] == [(30, 20), (30, 21), (30, 22), (30, 23)]
    assert (index.note, index.faces.num_rows, index.pairs.num_rows) == ("four", 0, 0)


def test_a_list_says_what_is_for_testing(photographs, tmp_path):
    (tmp_path / "list.txt").write_text("deep/b.png\n\ndeep/er/d.png\n")
    index_pictures(photographs, tmp_path / "index", test_list=tmp_path / "list.txt")
    index = PortraitIndex.read(tmp_path / "index")
    assert [index.photograph(number).path for number in index.numbers("test").tolist()] == [
        "deep/b.png",
        "deep/er/d.png",
    ]
    assert len(index.numbers("train")) == 2
    (tmp_path / "list.txt").write_text("a.png\nabsent.png\n")
    with pytest.raises(ValueError, match=r"1 of 2 photographs to test on are not among the 4 usable ones, as absent"):
        index_pictures(photographs, tmp_path / "index", test_list=tmp_path / "list.txt")
    with pytest.raises(ValueError, match="is a text file with a path a line"):
        index_pictures(photographs, tmp_path / "index", test_list=tmp_path / "no-list.txt")
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match="names no photograph to test on"):
        index_pictures(photographs, tmp_path / "index", test_list=tmp_path / "list.txt")


def test_reduced_copies_are_indexed_instead(photographs, tmp_path, capsys):
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8broken")
    copies = tmp_path / "copies"
    for _ in range(2):  # the second time they are there already
        index_pictures(photographs, tmp_path / "index", copies=copies, shorter_side=21)
        out, err = capsys.readouterr()
        assert "5 pictures, 4 of them usable" in out
        assert "left out: broken.jpg" in err
    index = PortraitIndex.read(tmp_path / "index")
    assert index.root == copies
    places = [(index.photograph(number).path, index.size(number)) for number in range(4)]
    assert places == [
        ("a.png", (30, 20)),
        ("deep/b.png", (30, 21)),
        ("deep/c.jpg", (29, 21)),
        ("deep/er/d.jpg", (27, 21)),
    ]
    assert (copies / "a.png").read_bytes() == (photographs / "a.png").read_bytes()
    assert load_picture(copies / "deep/er/d.jpg").pixels.mean() == pytest.approx(0.3, abs=0.01)
    with pytest.raises(ValueError, match="counts pixels, got 0"):
        index_pictures(photographs, tmp_path / "index", copies=tmp_path / "none", shorter_side=0)
    shutil.copy(photographs / "a.png", photographs / "a.jpg")
    with pytest.raises(ValueError, match="Two pictures are called a but for the suffix"):
        index_pictures(photographs, tmp_path / "index", copies=copies, shorter_side=21)


@pytest.mark.parametrize("whole_folder", [False, True])
def test_photographs_in_archives(photographs, tmp_path, whole_folder):
    archives = tmp_path / "archives"
    archives.mkdir()
    with tarfile.open(archives / "0.tar", "w") as tar:
        tar.add(photographs, ".")
    index_pictures(archives if whole_folder else archives / "0.tar", tmp_path / "index")
    index = PortraitIndex.read(tmp_path / "index")
    assert index.root == archives
    assert {index.read_bytes(number) for number in range(4)} == {
        path.read_bytes() for path in photographs.rglob("*.png")
    }


def test_what_cannot_be_indexed(photographs, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder or archive"):
        index_pictures(tmp_path / "absent", tmp_path / "index")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match=r"There are no pictures in .*bare"):
        index_pictures(tmp_path / "bare", tmp_path / "index")
    (tmp_path / "bare" / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"None of 1 pictures can be used. The first: a\.png is empty"):
        index_pictures(tmp_path / "bare", tmp_path / "index")
    with pytest.raises(ValueError, match=r"is a folder, but .* is a file"):
        index_pictures(photographs, photographs / "a.png")
    with pytest.raises(ValueError, match=r"got 0\.96 for pairs and 0\.95 for duplicates"):
        run_portrait_index(PortraitIndexOptions(photographs, output=tmp_path / "index", pairs=0.96))
    with pytest.raises(ValueError, match=r"lies in \[0, 1\), got 1"):
        index_pictures(photographs, tmp_path / "index", test_share=1.0)


@pytest.mark.assets
def test_faces_are_found_paired_and_kept_in_one_split(assets, tmp_path, capsys):
    """Two people twice, reduced; and a picture of nobody."""
    source = tmp_path / "people"
    source.mkdir()
    for name in ("005_neutral", "006_neutral", "006_smiling", "034_neutral", "034_smiling"):
        pixels = load_picture(assets / "images/portraits/london_ccby4" / f"{name}.jpg").pixels
        reduced = torch.nn.functional.interpolate(pixels[None], size=(480, 480), mode="bilinear", antialias=True)
        save_picture(Picture(reduced[0]), source / f"{name}.png")
    save_picture(Picture(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))), source / "noise.png")
    weights = assets / "weights"
    options = PortraitIndexOptions(
        source,
        output=tmp_path / "index",
        detector_weights=str(weights / "detect/yunet_n_640_640.onnx"),
        identity_weights=str(weights / "identity/mobilefacenet_foamliu.pt"),
        min_eyes=40.0,
        duplicates=0.999,
        test_share=0.34,
    )
    run_portrait_index(options)
    assert "5 faces in 5 photographs" in capsys.readouterr().out
    index = PortraitIndex.read(tmp_path / "index")
    names = [index.photograph(number).path for number in range(len(index))]
    together = {
        tuple(sorted(names[index.photograph_of(face)] for face in (face, partner)))
        for face in range(index.faces.num_rows)
        for partner, _ in index.partners(face)
    }
    assert together == {("006_neutral.png", "006_smiling.png"), ("034_neutral.png", "034_smiling.png")}
    splits = dict(zip(names, index.images["split"].to_pylist(), strict=True))
    assert len(set(splits.values())) == 2
    for person in ("006", "034"):
        assert splits[f"{person}_neutral.png"] == splits[f"{person}_smiling.png"]
    face = index.geometry(np.array([0]))
    assert index.faces["eye_distance"][0].as_py() == pytest.approx(face.eye_distance().item(), rel=1e-5)
    assert len(index.faces["embedding"][0].as_py()) == 128
    mapped = apply(torch.from_numpy(index.matrix(0)).unsqueeze(0), face.landmarks)[0]
    assert (mapped - FFHQ_512.tensor()).norm(dim=1).median() < 15
    network = build_identity(options.identity_weights)
    pairs = RestorationPairs(index, size=256, drop=0.0, keep_face=1.0)
    items = [pairs[serial, serial % len(pairs)] for serial in range(6)]
    batch = finish(collate([item for item in items if item.reference is not None]))
    assert len(batch.names) >= 2
    shown = embed(network, batch.hq, batch.faces.select(batch.referenced))
    assert similarity(shown, network(ffhq_to_arcface(batch.reference))).min() > 0.6  # strangers reach 0.46
