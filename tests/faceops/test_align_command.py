import gc
import json
import os
import weakref
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch

from faceops.commands import align as align_command
from faceops.commands import embed as embed_command
from faceops.commands.align import check_names, run_align
from faceops.commands.embed import run_embed
from faceops.commands.options import AlignOptions, EmbedOptions
from faceops.geometry.alignment import align, alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.pasting import paste
from faceops.images import one_file
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.picture_files import picture_files
from faceops.progress.verbosity import VERBOSITY, Verbosity
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention


def two_faces(images):
    """A stand-in for a detector: two faces in every picture but black ones, the second the larger."""
    if images.max() == 0:
        return Faces.none()
    small, large = (FFHQ_512.scaled(side).tensor().float() + place for side, place in ((20, 2.0), (40, 20.0)))
    boxes = torch.tensor([[2.0, 2.0, 22.0, 22.0], [20.0, 20.0, 60.0, 60.0]])
    return Faces(torch.zeros(2, dtype=torch.int64), boxes, torch.stack((small, large)), torch.tensor([0.9, 0.8]))


class Means(torch.nn.Module):
    """A stand-in for a recognition network: the mean of each channel."""

    def forward(self, x):
        return x.mean(dim=(2, 3)) + 2


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    for module in (align_command, embed_command):
        monkeypatch.setattr(module, "build_detector", lambda name, threshold=None: two_faces)
    encoder = FaceEncoder(Means(), InputConvention(), "means")
    monkeypatch.setattr(embed_command, "build_identity", lambda name: encoder)


@pytest.fixture
def pictures(tmp_path):
    """A folder of two pictures with faces and one without."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for name in ("a", "b"):
        rough = torch.rand(1, 3, 8, 10, generator=generator)
        smooth = torch.nn.functional.interpolate(rough, (64, 80), mode="bilinear")[0]
        save_picture(Picture(smooth), folder / f"{name}.png")
    save_picture(Picture(torch.zeros(3, 64, 80)), folder / "c.png")
    return folder


def test_every_face_becomes_a_file(pictures, tmp_path, capsys):
    status = run_align(AlignOptions([pictures / "a.png", pictures / "b.png"], output=tmp_path / "new/out", size=32))
    assert status == 0
    written = sorted(path.name for path in (tmp_path / "new/out").iterdir())
    assert written == ["a_1.png", "a_2.png", "b_1.png", "b_2.png"]
    assert [line.rsplit("/", 1)[1] for line in capsys.readouterr().out.split()] == written
    image = load_picture(pictures / "a.png").pixels.unsqueeze(0)
    expected = align(image, two_faces(image), 32).crops
    crops = torch.stack([load_picture(tmp_path / f"new/out/a_{k}.png").pixels for k in (1, 2)])
    torch.testing.assert_close(crops, expected, rtol=0, atol=0.6 / 255)


def test_json_says_where_each_crop_is_from_well_enough_to_paste_it_back(pictures, tmp_path, capsys):
    run_align(AlignOptions([pictures / "a.png"], output=tmp_path / "out", size=64, largest=True, json=True))
    (record,) = json.loads(capsys.readouterr().out)
    assert record["image"] == str(pictures / "a.png")
    assert record["crop"] == str(tmp_path / "out/a.png")
    assert record["score"] == pytest.approx(0.8)
    image = load_picture(pictures / "a.png").pixels.unsqueeze(0)
    matrix = torch.tensor(record["matrix"]).unsqueeze(0)
    torch.testing.assert_close(matrix, alignment_matrix(two_faces(image).landmarks[1:], 64), rtol=1e-6, atol=1e-5)
    crop = load_picture(record["crop"]).pixels.unsqueeze(0)
    back = paste(image, crop, matrix, torch.tensor([0]))
    assert (back - image)[..., 30:50, 30:50].abs().mean() < 0.01


def test_a_picture_without_a_face_is_said_and_the_rest_done(pictures, tmp_path, capsys):
    assert run_align(AlignOptions([pictures], output=tmp_path / "out", size=16)) == 1
    assert f"No face was found in {pictures / 'c.png'}." in capsys.readouterr().err
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_text_file_named_jpg_is_said_and_the_rest_done(pictures, tmp_path, capsys):
    text = tmp_path / "t.jpg"
    text.write_text("hello")
    assert run_align(AlignOptions([text, pictures / "a.png"], output=tmp_path / "out", size=16)) == 1
    assert str(text) in capsys.readouterr().err
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_nothing_is_overwritten_unasked(pictures, tmp_path, capsys):
    run_align(AlignOptions([pictures / "a.png"], output=tmp_path, size=16))
    before = (tmp_path / "a_1.png").read_bytes()
    assert run_align(AlignOptions([pictures / "a.png"], output=tmp_path, size=24)) == 2
    assert "exists already; give --overwrite" in capsys.readouterr().err
    assert (tmp_path / "a_1.png").read_bytes() == before
    assert run_align(AlignOptions([pictures / "a.png"], output=tmp_path, size=24, overwrite=True)) == 0
    assert load_picture(tmp_path / "a_1.png").pixels.shape == (3, 24, 24)


def test_what_cannot_work_is_refused_before_any_work(pictures, tmp_path):
    with pytest.raises(ValueError, match="would have the same names"):
        check_names({pictures / "a.png": "a.png", tmp_path / "a.jpg": "a.jpg"})
    with pytest.raises(ValueError, match="is a file, but a folder is needed"):
        run_align(AlignOptions([pictures / "a.png"], output=pictures / "b.png"))
    with pytest.raises(ValueError, match="at least one pixel, got 0"):
        run_align(AlignOptions([pictures / "a.png"], output=tmp_path / "out", size=0))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        picture_files([tmp_path / "empty"])


def test_an_input_is_never_replaced(pictures):
    with pytest.raises(ValueError, match=r"a\.png is an input and could be replaced by a crop"):
        run_align(AlignOptions([pictures], output=pictures, size=32, largest=True, overwrite=True))
    assert run_align(AlignOptions([pictures / "a.png"], output=pictures, size=32, overwrite=True)) == 0
    with pytest.raises(ValueError, match=r"a_1\.png is an input and could be replaced by a crop"):
        run_align(AlignOptions([pictures], output=pictures, size=32, overwrite=True))


@pytest.mark.parametrize(("name", "crop", "largest"), [("A.PNG", "A.png", True), ("a_1.PNG", "a_1.png", False)])
def test_an_input_is_never_replaced_under_another_spelling(pictures, name, crop, largest):
    inputs = [pictures / "a.png", (pictures / "b.png").rename(pictures / name)]
    options = AlignOptions(inputs, output=pictures, size=32, largest=largest, overwrite=True)
    os.link(pictures / name, pictures / crop)  # as if upper and lower case were one
    with pytest.raises(ValueError, match=f"{name} is an input and could be replaced by a crop"):
        run_align(options if not largest else replace(options, images=inputs[1:]))


def test_an_input_is_never_replaced_through_a_link(pictures, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links/d.png").symlink_to(pictures / "a.png")
    options = AlignOptions([tmp_path / "links"], output=tmp_path / "links", size=32, largest=True, overwrite=True)
    with pytest.raises(ValueError, match=r"d\.png is an input and could be replaced by a crop"):
        run_align(options)


def test_crops_that_differ_in_case_only(pictures, tmp_path, monkeypatch):
    (tmp_path / "A.png").write_bytes((pictures / "b.png").read_bytes())
    options = AlignOptions([pictures / "a.png", tmp_path / "A.png"], output=tmp_path / "out", size=16, largest=True)
    monkeypatch.setattr(one_file, "ignores_case", lambda folder: True)
    with pytest.raises(ValueError, match="would be one file, since upper and lower case are the same there"):
        run_align(options)
    monkeypatch.setattr(one_file, "ignores_case", lambda folder: False)
    assert run_align(options) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A.png", "a.png"]


def test_embeddings_as_arrays(pictures, tmp_path, capsys):
    output = tmp_path / "new/faces.npz"
    assert run_embed(EmbedOptions([pictures], output=output)) == 1  # c.png has no face
    assert capsys.readouterr().out.strip() == str(output)
    with np.load(output) as arrays:
        assert arrays["images"].tolist() == [str(pictures / name) for name in ("a.png", "a.png", "b.png", "b.png")]
        assert arrays["embeddings"].shape == (4, 3)
        np.testing.assert_allclose(np.linalg.norm(arrays["embeddings"], axis=1), 1, rtol=1e-5)
        assert arrays["boxes"].shape == (4, 4)
        assert arrays["landmarks"].shape == (4, 5, 2)
    with pytest.raises(FileExistsError, match="exists already"):
        run_embed(EmbedOptions([pictures], output=output))


def test_the_pixels_of_a_picture_are_free_before_the_next(pictures, tmp_path, monkeypatch):
    kept, alive = [], []

    def watched(images):
        gc.collect()
        alive.append(sum(reference() is not None for reference in kept))
        kept.append(weakref.ref(images.untyped_storage()))
        return two_faces(images)

    monkeypatch.setattr(embed_command, "build_detector", lambda name, threshold=None: watched)
    assert run_embed(EmbedOptions([pictures / "a.png", pictures / "b.png"], output=tmp_path / "faces.npz")) == 0
    assert alive == [0, 0]


def test_embeddings_as_lines_of_json(pictures, capsys):
    assert run_embed(EmbedOptions([pictures / "a.png"], largest=True)) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["box"] == [20.0, 20.0, 60.0, 60.0]
    assert len(record["embedding"]) == 3
    assert "the largest of 2 faces is taken" in captured.err


def test_embeddings_go_into_npz_files_only(tmp_path):
    with pytest.raises(ValueError, match=r"written to a \.npz file"):
        run_embed(EmbedOptions([tmp_path], output=tmp_path / "faces.csv"))


def test_folders_in_folders_keep_their_names(pictures, tmp_path, capsys):
    album, out = tmp_path / "album", tmp_path / "album/faces"
    for place in (album / "a.png", album / "deep/a.png"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((pictures / "a.png").read_bytes())
    for _ in range(2):  # what the first has written is no input of the second
        assert run_align(AlignOptions([album], output=out, size=16, largest=True, overwrite=True, recursive=True)) == 0
        assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == ["a.png", "deep/a.png"]
    capsys.readouterr()
    assert run_align(AlignOptions([album], output=tmp_path / "flat", size=16, largest=True)) == 0
    assert [path.name for path in (tmp_path / "flat").rglob("*.png")] == ["a.png"]
    assert f"{album}: left out are 2 folders in it." in capsys.readouterr().err
    with pytest.raises(ValueError, match="is an input and could be replaced by a crop"):
        run_align(AlignOptions([album], output=album, size=16, largest=True, recursive=True))


def test_embeddings_that_are_not_finite_are_not_written(pictures, tmp_path, monkeypatch):
    class Broken(torch.nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3)) / 0

    encoder = FaceEncoder(Broken(), InputConvention(), "broken")
    monkeypatch.setattr(embed_command, "build_identity", lambda name: encoder)
    with pytest.raises(ValueError, match=r"people\.npz is not written: some embeddings are not finite"):
        run_embed(EmbedOptions([pictures / "a.png"], output=tmp_path / "people.npz"))
    assert not (tmp_path / "people.npz").exists()


def test_what_cannot_be_written_is_refused_before_any_work(pictures, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/deep").write_text("")
    (pictures / "deep").mkdir()
    (pictures / "b.png").rename(pictures / "deep/b.png")
    with pytest.raises(ValueError, match="file is a file, but a folder is needed there"):
        run_embed(EmbedOptions([pictures], output=tmp_path / "file/x/faces.npz"))
    with pytest.raises(ValueError, match="file is a file, but a folder is needed there"):
        run_align(AlignOptions([pictures], output=tmp_path / "file/x"))
    with pytest.raises(ValueError, match="deep is a file, but a folder is needed there"):
        run_align(AlignOptions([pictures], output=tmp_path / "out", recursive=True))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["deep"]


def test_warnings_are_sentences_about_a_picture(pictures, tmp_path, capsys):
    for name in ("d", "e"):
        values = np.full((64, 80, 3), 1.2, np.float32)
        tifffile.imwrite(tmp_path / f"{name}.tif", values, photometric="rgb")
    files = [tmp_path / "d.tif", tmp_path / "e.tif"]
    assert run_align(AlignOptions(files, output=tmp_path / "out", size=16)) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{file}: Floats from 1.2 to 1.2 are clipped to 0 and 1." for file in files
    ]
    before = VERBOSITY.set(Verbosity.QUIET)
    try:
        assert run_align(AlignOptions(files, output=tmp_path / "quiet", size=16)) == 0
    finally:
        VERBOSITY.reset(before)
    assert capsys.readouterr().err == ""


def test_a_closed_stdout_is_no_failure_of_a_picture(pictures, tmp_path, monkeypatch, capsys):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    with pytest.raises(BrokenPipeError):
        run_align(AlignOptions([pictures / "a.png"], output=tmp_path / "out", size=16))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("largest", [False, True])
def test_crops_that_an_earlier_run_has_left_are_named(pictures, tmp_path, monkeypatch, capsys, largest):
    options = AlignOptions([pictures / "a.png"], output=tmp_path, size=16, largest=largest, overwrite=True)
    assert run_align(options) == 0
    assert "from before" not in capsys.readouterr().err
    for count in (1, 0):
        monkeypatch.setattr(
            align_command,
            "build_detector",
            lambda name, threshold=None, count=count: lambda images: two_faces(images).select(torch.arange(count)),
        )
        run_align(options)
        left = [line for line in capsys.readouterr().err.splitlines() if "is there from before" in line]
        wanted = ["a.png"][count:] if largest else ["a_1.png", "a_2.png"][count:]
        assert [line.split(": ")[1].split(" is ")[0] for line in left] == [str(tmp_path / name) for name in wanted]


def test_a_name_as_long_as_names_can_be_has_crops(pictures, tmp_path):
    long = (pictures / "a.png").rename(pictures / ("a" * 251 + ".png"))
    assert run_align(AlignOptions([long], output=tmp_path / "out", size=16)) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a" * 245 + "_1.png", "a" * 245 + "_2.png"]
    other = pictures / ("a" * 250 + "b.png")
    other.write_bytes(long.read_bytes())
    with pytest.raises(ValueError, match="would have the same names; align them apart"):
        run_align(AlignOptions([long, other], output=tmp_path / "out", size=16, overwrite=True))
