import os
import shutil
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from faceops.geometry.alignment import ffhq_to_arcface
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.images.files import Picture, load_picture, save_picture
from faceops.recognition.identity import build_identity, embed, similarity
from portraitdata.commands.build_options import TakedownOptions
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.commands.takedown import run_takedown
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.index import picture_pass
from portraitdata.restoration.index.copy_record import RECORD
from portraitdata.restoration.index.face_pass import FacePass, SeenPicture
from portraitdata.restoration.index.picture_files import find_picture_files
from portraitdata.restoration.index.picture_parts import read_part, write_part
from portraitdata.restoration.index.picture_pass import FindingFaces, look_at_all
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.reduced_copies import copy_reduced
from portraitdata.restoration.index.tables import read_index_tables
from portraitdata.restoration.index.takedown_list import LIST_FILE
from portraitdata.restoration.training_pairs import RestorationPairs
from portraitdata.storage.single_run import only_run


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
    assert index.split_threshold == 0.45


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


def sizes(index: Path) -> dict[str, tuple[int, int]]:
    found = PortraitIndex.read(index)
    return {found.photograph(number).path: found.size(number) for number in range(len(found))}


def test_copies_follow_the_side_and_the_pictures(photographs, tmp_path):
    index, copies = tmp_path / "index", tmp_path / "copies"
    index_pictures(photographs, index, copies=copies, shorter_side=21)
    assert sizes(index)["deep/b.png"] == (30, 21)
    kept = (copies / "a.png").stat().st_mtime_ns
    index_pictures(photographs, index, copies=copies, shorter_side=21)
    assert (copies / "a.png").stat().st_mtime_ns == kept
    index_pictures(photographs, index, copies=copies, shorter_side=10)
    assert sizes(index) == {
        "a.jpg": (15, 10),
        "deep/b.jpg": (14, 10),
        "deep/c.jpg": (14, 10),
        "deep/er/d.jpg": (13, 10),
    }
    save_picture(Picture(torch.full((3, 40, 20), 0.9)), photographs / "a.png")
    (photographs / "deep/b.png").unlink()
    (photographs / "deep/c.png").write_bytes(b"\x89PNG broken")
    index_pictures(photographs, index, copies=copies, shorter_side=10)
    assert sizes(index) == {"a.jpg": (10, 20), "deep/er/d.jpg": (13, 10)}
    assert (copies / "deep/b.jpg").is_file()
    assert not (copies / "deep/c.jpg").exists()
    for name in ("a.png", "deep/er/d.png"):
        (photographs / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"No picture of .* has a copy in .*copies\. The first: a\.png is empty"):
        index_pictures(photographs, index, copies=copies, shorter_side=10)


def test_the_copy_of_a_jpeg_is_made_again(tmp_path):
    """Its copy has one name, whether it is reduced or not."""
    (tmp_path / "photographs").mkdir()
    save_picture(Picture(torch.full((3, 40, 60), 0.5)), tmp_path / "photographs/a.jpg")
    for side, size in ((10, (15, 10)), (20, (30, 20)), (40, (60, 40)), (10, (15, 10))):
        index_pictures(tmp_path / "photographs", tmp_path / "index", copies=tmp_path / "copies", shorter_side=side)
        assert sizes(tmp_path / "index") == {"a.jpg": size}


@pytest.mark.parametrize("name", ["../outside/evil.png", "{}/evil.png", "deep/../../evil.png"])
def test_members_that_lead_out_of_a_folder_are_refused(photographs, tmp_path, name):
    archives, evil = tmp_path / "archives", name.format(tmp_path / "outside")
    archives.mkdir()
    with tarfile.open(archives / "0.tar", "w") as tar:
        member = tarfile.TarInfo(evil)
        member.size = (photographs / "a.png").stat().st_size
        with (photographs / "a.png").open("rb") as file:
            tar.addfile(member, file)
    for options in ({}, {"copies": tmp_path / "copies"}):
        with pytest.raises(ValueError, match=r"whose name leads out of the folder"):
            index_pictures(archives, tmp_path / "index", **options)
    assert not list(tmp_path.rglob("evil.*"))


def test_what_was_taken_down_does_not_come_back(photographs, tmp_path, capsys):
    index = tmp_path / "index"
    index_pictures(photographs, index)
    uid = PortraitIndex.read(index).uid(1)
    listed = (index / LIST_FILE, tmp_path / "list.csv")
    run_takedown(TakedownOptions(index, uid=[uid]))
    capsys.readouterr()
    index_pictures(photographs, index)
    assert f"deep/b.png has been taken down, as {index / LIST_FILE} says." in capsys.readouterr().err
    assert "deep/b.png" not in read_index_tables(index).images["path"].to_pylist()
    # made again without the list, as by an earlier version, it goes again
    listed[0].rename(listed[1])
    index_pictures(photographs, index)
    listed[1].rename(listed[0])
    assert uid in read_index_tables(index).images["uid"].to_pylist()
    assert run_takedown(TakedownOptions(index, uid=[uid])) == 0
    assert uid not in read_index_tables(index).images["uid"].to_pylist()


def test_an_index_at_which_another_run_works_is_not_replaced(photographs, tmp_path):
    index_pictures(photographs, tmp_path / "index")
    before = stored(tmp_path / "index")
    (photographs / "a.png").unlink()
    with only_run(tmp_path / "index"), pytest.raises(OSError, match="Another run works at"):
        index_pictures(photographs, tmp_path / "index")
    assert stored(tmp_path / "index") == before


def test_a_list_for_testing_names_the_pictures_of_which_there_are_copies(photographs, tmp_path, monkeypatch):
    (tmp_path / "list.txt").write_text("deep/c.png\na.png\n")
    options = {"copies": tmp_path / "copies", "shorter_side": 21, "test_list": tmp_path / "list.txt"}
    index_pictures(photographs, tmp_path / "index", **options)
    index = PortraitIndex.read(tmp_path / "index")
    assert [index.photograph(number).path for number in index.numbers("test").tolist()] == ["a.png", "deep/c.jpg"]
    assert index.split_threshold == 0.65  # only pairs are never parted by a list
    (tmp_path / "list.txt").write_text("absent.png\n")
    monkeypatch.setattr("portraitdata.commands.portrait_index.look_at_all", None)  # said before that
    with pytest.raises(ValueError, match="1 of 1 photographs to test on are not among"):
        index_pictures(photographs, tmp_path / "index", **options)


def test_an_interrupted_copying_goes_on(photographs, tmp_path):
    index, copies = tmp_path / "index", tmp_path / "copies"
    index_pictures(photographs, index, copies=copies, shorter_side=21)
    record = copies / RECORD
    record.write_text(record.read_text()[:-5])  # as of a process that was killed
    (copies / "a.png").unlink()
    kept = (copies / "deep/b.png").stat().st_mtime_ns
    index_pictures(photographs, index, copies=copies, shorter_side=21)
    assert (len(sizes(index)), (copies / "deep/b.png").stat().st_mtime_ns) == (4, kept)
    assert len(record.read_text().splitlines()) == 5  # that of a.png twice
    record.write_text("[1\n")
    with pytest.raises(ValueError, match=r"is no record of copies .*; delete it and the copies"):
        index_pictures(photographs, index, copies=copies, shorter_side=21)


def test_folders_that_copies_are_not_made_in(photographs, tmp_path):
    for copies in (photographs, photographs / "deep" / "copies"):
        with pytest.raises(ValueError, match="give a folder elsewhere, by --copies"):
            index_pictures(photographs, tmp_path / "index", copies=copies)
    shutil.copytree(photographs, tmp_path / "own")
    with pytest.raises(ValueError, match=r"Nothing says what .*own/a\.png is a copy of"):
        index_pictures(photographs, tmp_path / "index", copies=tmp_path / "own")
    assert not (tmp_path / "own" / RECORD).exists()


def test_twins_among_many_are_found_at_once(tmp_path):
    names = [f"{number}.png" for number in range(10_000)]
    files = [Photograph(name, None, 0, 1, "", "unused", 0, 0) for name in [*names, "9999.jpg"]]
    began = time.process_time()
    with pytest.raises(ValueError, match="Two pictures are called 9999 but for the suffix"):
        copy_reduced(tmp_path, files, tmp_path / "copies", 21)
    assert time.process_time() - began < 3


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


def stored(folder: Path) -> list[bytes]:
    return [(folder / f"{name}.parquet").read_bytes() for name in ("images", "faces", "pairs")]


def test_a_run_that_was_killed_is_continued(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_pass, "PICTURES", 1)
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8broken")
    looked_at = []

    def look(self, file, look=FacePass.look):
        if len(looked_at) == 3:
            looked_at.append("killed")
            raise KeyboardInterrupt
        looked_at.append(file.path)
        return look(self, file)

    monkeypatch.setattr(FacePass, "look", look)
    output = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        run_portrait_index(PortraitIndexOptions(photographs, output=output, no_faces=True, workers=1))
    assert not (output / "images.parquet").exists()
    run_portrait_index(PortraitIndexOptions(photographs, output=output, no_faces=True, workers=1))
    assert looked_at == ["a.png", "broken.jpg", "deep/b.png", "killed", "deep/c.png", "deep/er/d.png"]
    assert not (output / picture_pass.PARTS).exists()
    run_portrait_index(PortraitIndexOptions(photographs, output=tmp_path / "other", no_faces=True, workers=1))
    assert stored(output) == stored(tmp_path / "other")


@pytest.mark.parametrize("change", ["settings", "picture"])
def test_another_pass_begins_anew(photographs, tmp_path, change):
    files = find_picture_files(photographs)[1]
    look_at_all(photographs, files, None, tmp_path / "index")
    (first,) = (tmp_path / "index" / picture_pass.PARTS).iterdir()
    finding = None
    if change == "picture":
        (photographs / "a.png").write_bytes((photographs / "deep/b.png").read_bytes())
        os.utime(photographs / "a.png", ns=(0, 0))
        assert look_at_all(photographs, files, None, tmp_path / "index")[1][0].path == "deep/b.png"
    else:
        finding = FindingFaces("retinaface", "absent.pth")
        with pytest.raises(FileNotFoundError, match=r"There is no weights file absent\.pth"):
            look_at_all(photographs, files, finding, tmp_path / "index")
    assert first not in list((tmp_path / "index" / picture_pass.PARTS).iterdir())


def test_parts_keep_everything_to_the_bit(tmp_path):
    random = torch.Generator().manual_seed(0)
    faces = Faces(
        torch.zeros(2, dtype=torch.int64),
        torch.rand(2, 4, generator=random) * 1000,
        torch.rand(2, 5, 2, generator=random) * 1000,
        torch.rand(2, generator=random),
    )
    place = Photograph("a.jpg", "0.tar", 512, 99, "", "unused", 640, 480)
    embeddings = torch.randn(2, 7, generator=random).to(torch.float16).numpy()
    seen = SeenPicture("x", place, faces, embeddings, 3)
    nobody = SeenPicture("y", place._replace(archive=None), Faces.none(), embeddings[:0, :0])
    write_part([seen, Skipped("b.jpg", "b.jpg is empty."), nobody], tmp_path / "part.parquet")
    first, second, third = read_part(tmp_path / "part.parquet")
    assert second == Skipped("b.jpg", "b.jpg is empty.")
    assert (first.uid, first.photograph, first.small_faces) == ("x", place, 3)
    for name in ("boxes", "landmarks", "scores", "image_index"):
        assert getattr(first.faces, name).equal(getattr(faces, name))
    assert (first.embeddings == embeddings).all()
    assert first.embeddings.dtype == np.float16
    assert (third.photograph.archive, len(third.faces), third.embeddings.shape) == (None, 0, (0, 0))


@pytest.mark.slow
def test_several_processes_find_the_same(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_pass, "PICTURES", 2)
    for workers in (1, 2):
        run_portrait_index(
            PortraitIndexOptions(photographs, output=tmp_path / f"{workers}", no_faces=True, workers=workers)
        )
    assert stored(tmp_path / "1") == stored(tmp_path / "2")
    with pytest.raises(ValueError, match="At least one worker is needed, got 0"):
        run_portrait_index(PortraitIndexOptions(photographs, output=tmp_path / "0", no_faces=True, workers=0))


@pytest.mark.gpu
@pytest.mark.assets
@pytest.mark.parametrize("detector", ["any-turn", "yunet", "retinaface"])
def test_a_gpu_finds_the_same_faces(assets, tmp_path, detector):
    names = {"any-turn": None, "yunet": "yunet_n_640_640.onnx", "retinaface": "retinaface_mobilenet0.25_Final.pth"}
    name = names[detector]
    found = None if name is None else str(assets / "weights/detect" / name)
    identity = str(assets / "weights/identity/mobilefacenet_foamliu.pt")
    root, files = find_picture_files(assets / "images/portraits/18f_cc0")
    seen = [
        look_at_all(root, files, FindingFaces(detector, found, identity, 40.0, device), tmp_path / device)[0]
        for device in ("cpu", "cuda")
    ]
    for on_cpu, on_gpu in zip(*seen, strict=True):
        assert len(on_cpu.faces) == len(on_gpu.faces) >= 1
        torch.testing.assert_close(on_gpu.faces.landmarks, on_cpu.faces.landmarks, rtol=0, atol=0.5)
        a, b = (torch.from_numpy(picture.embeddings).float() for picture in (on_cpu, on_gpu))
        assert similarity(a, b).min() > 0.995
